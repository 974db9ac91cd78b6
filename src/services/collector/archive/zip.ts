/**
 * Our own ZIP writer: workers read and compress, the archive is written in order. Small files go in batches; a large one goes in
 * pieces that are compressed at once and join to one deflate stream. ZIP64 where anything needs it.
 */
import { workerUrl } from "../../../platform/workers.ts";
import type { WriteArchive } from "./archive.ts";
import { ArchiveFile } from "./archive-file.ts";
import { combineCrc32 } from "./crc32.ts";
import { runSteps } from "./run-steps.ts";
import { latestPath, type PieceStep, type Step, type WireEntry } from "./steps.ts";
import { centralRecord, endRecords, localHeader, method, type ZipRecord } from "./zip-format.ts";
import type { ZipReply } from "./zip-tasks.ts";

/** From here on 64-bit sizes are provided for: deflate may make a file a little larger. */
const wideFile = 0xf0000000;
const mostWarnings = 1000;
const copyLength = 1024 * 1024;
const directoryBuffer = 256 * 1024;

/** A large file while its pieces come in. */
interface LargeFile {
  record: ZipRecord;
  wide: boolean;
  start: number;
}

const beginLargeFile = ({ name, mode, mtime, size }: WireEntry, start: number): LargeFile => ({
  record: {
    name: Buffer.from(name, "latin1"),
    type: "file",
    mode,
    mtime,
    method: method.deflate,
    crc: 0,
    size: 0,
    compressedSize: 0,
  },
  wide: size >= wideFile,
  start,
});

/** Puts replies into the archive and keeps the central directory, on disk once it is more than a little. */
class ZipOutput {
  entries = 0;
  readonly warnings: string[] = [];
  private readonly archive: ArchiveFile;
  private readonly directory: ArchiveFile;
  private readonly records: Buffer[] = [];
  private recordBytes = 0;
  private large: LargeFile | null = null;

  constructor(archive: ArchiveFile, directory: ArchiveFile) {
    this.archive = archive;
    this.directory = directory;
  }

  get bytes(): number {
    return this.archive.size;
  }

  async put(step: Step, reply: ZipReply): Promise<void> {
    if (this.warnings.length < mostWarnings) this.warnings.push(...reply.warnings);
    if (step.kind === "piece") await this.putPiece(step, reply);
    else await this.putEntries(reply);
    if (this.recordBytes >= directoryBuffer) await this.flushRecords();
  }

  private async putEntries({ data, written }: ZipReply): Promise<void> {
    const base = this.archive.size;
    await this.archive.append(data);
    for (const entry of written)
      this.addRecord({ ...entry, name: Buffer.from(entry.name, "latin1") }, base + entry.start);
  }

  private async putPiece(step: PieceStep, reply: ZipReply): Promise<void> {
    const file = await this.largeFile(step);
    const { record, wide } = file;
    await this.archive.append(reply.data);
    record.crc = combineCrc32(record.crc, reply.crc, reply.length);
    record.size += reply.length;
    record.compressedSize += reply.data.length;
    if (reply.length < step.length)
      this.warnings.push(`${latestPath(step)}: became shorter while it was read`);
    if (step.last) {
      await this.archive.overwrite(localHeader(record, wide), file.start);
      this.addRecord(record, file.start);
    }
  }

  /** The file that a piece belongs to; the first one's header is written, to be put right when the last has come. */
  private async largeFile({ entry, offset }: PieceStep): Promise<LargeFile> {
    if (offset > 0 && this.large) return this.large;
    this.large = beginLargeFile(entry, this.archive.size);
    await this.archive.append(localHeader(this.large.record, this.large.wide));
    return this.large;
  }

  /** Writes the central directory and the end of the archive. */
  async end(): Promise<void> {
    await this.flushRecords();
    const offset = this.archive.size;
    for await (const chunk of this.directory.chunks(copyLength)) await this.archive.append(chunk);
    await this.archive.append(endRecords(this.entries, this.directory.size, offset));
  }

  private addRecord(record: ZipRecord, offset: number): void {
    const central = centralRecord(record, offset);
    this.records.push(central);
    this.recordBytes += central.length;
    this.entries++;
  }

  private async flushRecords(): Promise<void> {
    await this.directory.append(Buffer.concat(this.records.splice(0)));
    this.recordBytes = 0;
  }
}

export const writeZip: WriteArchive = async (entries, destination, run) => {
  run.signal.throwIfAborted();
  const archive = await ArchiveFile.create(destination);
  const directory = await ArchiveFile.create(`${destination}.directory`);
  try {
    const output = new ZipOutput(archive, directory);
    await runSteps<Step, ZipReply>({
      url: workerUrl("services/collector/archive/zip.worker"),
      entries,
      taskOf: (step) => step,
      signal: run.signal,
      async put(step, reply) {
        await output.put(step, reply);
        run.onProgress(output.entries, output.bytes, latestPath(step));
      },
    });
    await output.end();
    await archive.finish();
    return { entries: output.entries, bytes: output.bytes, warnings: output.warnings };
  } catch (error) {
    await archive.discard();
    throw error;
  } finally {
    await directory.discard();
  }
};
