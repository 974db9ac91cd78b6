import { realpath } from "node:fs/promises";
import { planBatches } from "./batches.ts";
import { type Collected, collectedOf } from "./collected.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { CopyBatch } from "./copy.worker.ts";
import { CopyPool } from "./copy-pool.ts";
import { makePlan } from "./make-plan.ts";
import { type CollectOptions, removesSources } from "./options.ts";
import { addCounts } from "./outcome.ts";
import type { PlanSummary } from "./plan.ts";
import { type Recovery, recover } from "./recovery.ts";
import { isWithin, realPath } from "./roots.ts";
import { Run } from "./run.ts";
import { openWorkDirectory } from "./work-directory.ts";

export type { Collected, FileRecord } from "./collected.ts";

/** How far a collection is. */
export interface Progress {
  /** Files to process in all. */
  total: number;
  /** Files whose fate is settled and durable. */
  current: number;
  /** Bytes copied, of files still being copied too. */
  bytes: number;
  /** Absolute source path. */
  currentFile: string;
}

/** Who stops a collection and who watches it. `onProgress` is called often: throttling is the caller's. */
export interface CollectRun {
  signal: AbortSignal;
  onProgress(progress: Progress): void;
}

/**
 * Collects the sources into the target: walks, copies, makes durable, and in `move_remove` removes each source once
 * its copy is verified and durable. Interrupted at any point, the same call with the same job id goes on where it was.
 * What fails for one file is told in its record. Fails with the signal's reason; with an Error ("No space left on
 * device") when nothing can go on. Call `finish` or `abandon` afterwards.
 */
export async function collectFiles(options: CollectOptions, run: CollectRun): Promise<Collected> {
  run.signal.throwIfAborted();
  const work = await openWorkDirectory(options);
  const plan = await makePlan(options, work, run.signal);
  const recovery = await recover(work, plan.totals.rows);
  await copyPlan(options, work, plan, recovery, run);
  return collectedOf(options, work, plan, recovery.counts);
}

async function copyPlan(
  options: CollectOptions,
  work: string,
  plan: PlanSummary,
  recovery: Recovery,
  { signal, onProgress }: CollectRun,
): Promise<void> {
  const { counts } = recovery;
  const acceptsPresent = await mayAcceptPresent(options, plan);
  const threads = new Run(signal);
  const progress = {
    total: plan.totals.files,
    current: settled(counts),
    bytes: counts.bytes,
    currentFile: "",
  };
  /** Bytes of files still being copied, told apart so that they are not counted again when those are done. */
  let partial = 0;
  const commits = threads.owns(
    new CommitQueue(
      { options, work, roots: plan.roots, stop: threads.stop },
      {
        onFailure: threads.fail,
        onCommitted: (batches) => {
          for (const batch of batches) {
            addCounts(counts, batch.counts);
            partial -= batch.told;
          }
          const currentFile = batches.at(-1)?.lastFile ?? progress.currentFile;
          Object.assign(progress, { current: settled(counts), bytes: counts.bytes + partial, currentFile });
          onProgress({ ...progress });
        },
      },
    ),
  );
  const pool = threads.owns(
    new CopyPool({
      options,
      work,
      roots: plan.roots,
      acceptsPresent,
      stop: threads.stop,
      onFailure: threads.fail,
      onCopied: (batch) => commits.push(batch),
      onBytes: ({ bytes, file }) => {
        partial += bytes;
        onProgress({ ...progress, bytes: counts.bytes + partial, currentFile: file });
      },
    }),
  );
  await threads.run(async () => {
    for (const kind of ["files", "directories"] as const) {
      await copyBatches(planBatches(work, kind, recovery), pool, commits);
    }
    if (options.mode !== "move_remove") return;
    if (recovery.resumed) await commits.remove({ kind: "removeAll" });
    await commits.remove({ kind: "removeDirectories" });
  });
}

async function copyBatches(
  batches: AsyncIterable<CopyBatch>,
  pool: CopyPool,
  commits: CommitQueue,
): Promise<void> {
  for await (const batch of batches) {
    await commits.room();
    await pool.submit(batch);
  }
  await pool.idle();
  await commits.drained();
}

function settled({ processed, failed }: { processed: number; failed: number }): number {
  return processed + failed;
}

/**
 * When sources are removed and one lies in the target, a file there that looks like a finished copy may be a source
 * that is about to go: then every file is copied for itself.
 */
async function mayAcceptPresent({ mode, target }: CollectOptions, plan: PlanSummary): Promise<boolean> {
  if (!removesSources(mode)) return true;
  const real = (await realpath(target, "buffer")).toString("latin1");
  return !plan.roots.some((root) => isWithin(realPath(root), real));
}
