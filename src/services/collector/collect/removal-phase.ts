import type { CollectRun } from "./collect.ts";
import type { Collected } from "./collected.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { CollectOptions } from "./options.ts";
import { readPlanSummary } from "./plan.ts";
import { markSourcesRemoved, readKept } from "./recovery.ts";
import { Run } from "./run.ts";
import { workDirectory } from "./work-directory.ts";

/** What removing the sources came to. */
export interface Removal {
  /** Whether sources were removed at all. */
  removed: boolean;
  /** Why sources were kept, ready for the user. */
  warnings: string[];
}

/**
 * The second phase of `move`, for when everything that is made of the copies is safe too: removes the sources, unless
 * any file failed, in which case none is. A source that changed since it was copied stays and is told. Does nothing in
 * other modes. Can be repeated. Fails with the signal's reason.
 */
export async function removeSources(
  options: CollectOptions,
  collected: Collected,
  { signal }: Pick<CollectRun, "signal">,
): Promise<Removal> {
  if (options.mode !== "move") return { removed: options.mode === "move_remove", warnings: [] };
  if (collected.failedFiles > 0) {
    return { removed: false, warnings: ["No source was removed, because some files could not be collected"] };
  }
  const work = workDirectory(options);
  const plan = await readPlanSummary(work);
  if (plan === undefined) throw new Error("this collection has no plan");
  await markSourcesRemoved(work);
  const threads = new Run(signal);
  const listener = { onFailure: threads.fail, onCommitted: () => undefined };
  const queue = threads.owns(
    new CommitQueue({ options, work, roots: plan.roots, stop: threads.stop }, listener),
  );
  await threads.run(() => queue.remove({ kind: "removeAll" }));
  const kept = (await readKept(work)).size;
  return { removed: true, warnings: kept === 0 ? [] : [`${kept} sources were kept: the manifest says why`] };
}
