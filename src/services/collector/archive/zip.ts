/**
 * Our own ZIP writer: workers read and compress, the archive is written in order. Small files go in batches; a large one goes in
 * pieces that are compressed at once and join to one deflate stream. ZIP64 where anything needs it.
 */
import { availableParallelism } from "node:os";
import { workerUrl } from "../../../platform/workers.ts";
import type { ArchiveRun, WriteArchive } from "./archive.ts";
import { ArchiveFile } from "./archive-file.ts";
import { combineCrc32 } from "./crc32.ts";
import { type ArchiveEntry, safeName } from "./entry.ts";
import { inOrder, WorkerPool } from "./worker-pool.ts";
import { centralRecord, endRecords, localHeader, method, type ZipRecord } from "./zip-format.ts";
import type { EntriesTask, PieceTask, ZipReply, ZipTask } from "./zip-tasks.ts";

const batchEntries = 128;
const batchBytes = 1024 * 1024;
/** Larger files are compressed in pieces. */
const largeFile = 4 * 1024 * 1024;
const pieceLength = 2 * 1024 * 1024;
/** From here on 64-bit sizes are provided for: deflate may make a file a little larger. */
const wideFile = 0xf0000000;
const mostWarnings = 1000;
const copyLength = 1024 * 1024;
const directoryBuffer = 256 * 1024;

/** A task, and of a piece the file it belongs to. */
type Step = ZipTask & { file?: LargeFile };

/** A large file while its pieces come in. */
interface LargeFile {
  record: ZipRecord;
  wide: boolean;
  start: number;
}

function wireEntry({ path, name, type, mode, mtimeNs }: ArchiveEntry): EntriesTask["entries"][number] {
  const safe = safeName(name).toString("latin1");
  return {
    path: path.toString("latin1"),
    name: type === "directory" ? `${safe}/` : safe,
    type,
    mode,
    mtime: Math.floor(Number(mtimeNs) / 1e9),
  };
}

function* piecesOf(entry: ArchiveEntry): Generator<PieceTask & { file: LargeFile }> {
  const { mode, mtime, name } = wireEntry(entry);
  const file: LargeFile = {
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
    wide: entry.size >= wideFile,
    start: -1,
  };
  const path = entry.path.toString("latin1");
  for (let offset = 0; offset < entry.size; offset += pieceLength) {
    const length = Math.min(pieceLength, entry.size - offset);
    yield { kind: "piece", path, offset, length, last: offset + length === entry.size, file };
  }
}

/** Groups small entries into batches and cuts large files into pieces, in order. */
async function* stepsOf(entries: AsyncIterable<ArchiveEntry[]>): AsyncGenerator<Step> {
  let batch: EntriesTask["entries"] = [];
  let bytes = 0;
  const flush = function* (): Generator<EntriesTask> {
    if (batch.length > 0) yield { kind: "entries", entries: batch };
    batch = [];
    bytes = 0;
  };
  for await (const group of entries)
    for (const entry of group) {
      if (entry.type === "file" && entry.size > largeFile) {
        yield* flush();
        yield* piecesOf(entry);
        continue;
      }
      batch.push(wireEntry(entry));
      bytes += entry.type === "file" ? entry.size : 0;
      if (batch.length >= batchEntries || bytes >= batchBytes) yield* flush();
    }
  yield* flush();
}

/** Puts replies into the archive and keeps the central directory, on disk once it is more than a little. */
class ZipOutput {
  entries = 0;
  readonly warnings: string[] = [];
  private readonly archive: ArchiveFile;
  private readonly directory: ArchiveFile;
  private readonly records: Buffer[] = [];
  private recordBytes = 0;

  constructor(archive: ArchiveFile, directory: ArchiveFile) {
    this.archive = archive;
    this.directory = directory;
  }

  get bytes(): number {
    return this.archive.size;
  }

  async put(step: Step, reply: ZipReply): Promise<void> {
    if (this.warnings.length < mostWarnings) this.warnings.push(...reply.warnings);
    if (step.kind === "piece" && step.file) await this.putPiece(step, step.file, reply);
    else await this.putEntries(reply);
    if (this.recordBytes >= directoryBuffer) await this.flushRecords();
  }

  private async putEntries({ data, written }: ZipReply): Promise<void> {
    const base = this.archive.size;
    await this.archive.append(data);
    for (const entry of written)
      this.addRecord({ ...entry, name: Buffer.from(entry.name, "latin1") }, base + entry.start);
  }

  private async putPiece(step: PieceTask, file: LargeFile, reply: ZipReply): Promise<void> {
    const { record, wide } = file;
    if (file.start < 0) {
      file.start = this.archive.size;
      await this.archive.append(localHeader(record, wide));
    }
    await this.archive.append(reply.data);
    record.crc = combineCrc32(record.crc, reply.crc, reply.length);
    record.size += reply.length;
    record.compressedSize += reply.data.length;
    if (reply.length < step.length)
      this.warnings.push(`${Buffer.from(step.path, "latin1")}: became shorter while it was read`);
    if (step.last) {
      await this.archive.overwrite(localHeader(record, wide), file.start);
      this.addRecord(record, file.start);
    }
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

const nameOf = (step: Step): string =>
  Buffer.from((step.kind === "piece" ? step.path : step.entries.at(-1)?.path) ?? "", "latin1").toString();

async function writeSteps(
  entries: AsyncIterable<ArchiveEntry[]>,
  output: ZipOutput,
  { signal, onProgress }: ArchiveRun,
): Promise<void> {
  const size = Math.max(1, Math.min(8, availableParallelism()));
  const pool = new WorkerPool<ZipTask, ZipReply>(workerUrl("services/collector/archive/zip.worker"), size);
  const stop = () => pool.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const run = ({ file: _, ...task }: Step) => pool.run(task as ZipTask);
    for await (const { task, reply } of inOrder(stepsOf(entries), run, size * 3)) {
      signal.throwIfAborted();
      await output.put(task, reply);
      onProgress(output.entries, output.bytes, nameOf(task));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    pool.close();
  }
}

export const writeZip: WriteArchive = async (entries, destination, run) => {
  run.signal.throwIfAborted();
  const archive = await ArchiveFile.create(destination);
  const directory = await ArchiveFile.create(`${destination}.directory`);
  try {
    const output = new ZipOutput(archive, directory);
    await writeSteps(entries, output, run);
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
