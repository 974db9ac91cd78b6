/**
 * Tar archives, plain or compressed: Workers read and frame the entries, and for gzip compress them too; bzip2 and xz are the system's
 * programs. A file's size stands before its content, so one that shrinks meanwhile is filled up and one that grows is cut.
 */
import { workerUrl } from "../../../platform/workers.ts";
import type { WriteArchive } from "./archive.ts";
import { ArchiveFile } from "./archive-file.ts";
import { type Compression, startFilter } from "./filter.ts";
import { runSteps } from "./run-steps.ts";
import { latestPath } from "./steps.ts";
import { endOfArchive } from "./tar-format.ts";
import type { TarPacking, TarReply, TarTask } from "./tar-tasks.ts";

const mostWarnings = 1000;

/** Where the packed stream goes. */
interface Output {
  write(data: Uint8Array): Promise<void>;
  end(): Promise<void>;
  kill(): void;
}

function outputOf(archive: ArchiveFile, compression: Compression | null): Output {
  const append = (data: Uint8Array) => archive.append(data);
  return compression ? startFilter(compression, append) : { write: append, end: async () => {}, kill() {} };
}

const packedEnd = (packing: TarPacking): Uint8Array =>
  packing === "gzip"
    ? Bun.gzipSync(endOfArchive() as Buffer<ArrayBuffer>, { library: "libdeflate" })
    : endOfArchive();

/** The writer for tar archives packed by the Workers, or by a program. */
export const tarWriter =
  (packing: TarPacking, compression: Compression | null = null): WriteArchive =>
  async (entries, destination, { signal, onProgress }) => {
    signal.throwIfAborted();
    const archive = await ArchiveFile.create(destination);
    const output = outputOf(archive, compression);
    const warnings: string[] = [];
    let count = 0;
    try {
      await runSteps<TarTask, TarReply>({
        url: workerUrl("services/collector/archive/tar.worker"),
        entries,
        taskOf: (step) => ({ step, packing }),
        signal,
        async put(step, reply) {
          await output.write(reply.data);
          count += reply.entries;
          if (warnings.length < mostWarnings) warnings.push(...reply.warnings);
          onProgress(count, archive.size, latestPath(step));
        },
      });
      await output.write(packedEnd(packing));
      await output.end();
      await archive.finish();
      return { entries: count, bytes: archive.size, warnings };
    } catch (error) {
      output.kill();
      await archive.discard();
      throw error;
    }
  };
