/**
 * Tar archives, plain or compressed: Workers read, frame and compress the entries, and what they make is written in order. A file's size
 * stands before its content, so one that shrinks meanwhile is filled up and one that grows is cut.
 */
import { workerUrl } from "../../../platform/workers.ts";
import type { WriteArchive } from "./archive.ts";
import { ArchiveFile } from "./archive-file.ts";
import { pack, type TarPacking } from "./packing.ts";
import { runSteps } from "./run-steps.ts";
import { latestPath } from "./steps.ts";
import { endOfArchive } from "./tar-format.ts";
import type { TarReply, TarTask } from "./tar-tasks.ts";

const mostWarnings = 1000;

/** The writer for tar archives that are packed in this way. */
export const tarWriter =
  (packing: TarPacking): WriteArchive =>
  async (entries, destination, { signal, onProgress }) => {
    signal.throwIfAborted();
    const archive = await ArchiveFile.create(destination);
    const warnings: string[] = [];
    let count = 0;
    try {
      await runSteps<TarTask, TarReply>({
        url: workerUrl("services/collector/archive/tar.worker"),
        entries,
        taskOf: (step) => ({ step, packing }),
        signal,
        async put(step, reply) {
          await archive.append(reply.data);
          count += reply.entries;
          if (warnings.length < mostWarnings) warnings.push(...reply.warnings);
          onProgress(count, archive.size, latestPath(step));
        },
      });
      await archive.append(await pack(new Uint8Array(endOfArchive()), packing));
      await archive.finish();
      return { entries: count, bytes: archive.size, warnings };
    } catch (error) {
      await archive.discard();
      throw error;
    }
  };
