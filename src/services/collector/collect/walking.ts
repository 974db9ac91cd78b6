import { stat } from "node:fs/promises";
import { errorCode } from "../../../platform/linux/errors.ts";
import { workerUrl } from "../../../platform/workers.ts";
import type { CollectOptions } from "./options.ts";
import type { SourceRoot } from "./roots.ts";
import { makeStopFlag, requestStop } from "./stop-flag.ts";
import { Thread } from "./thread.ts";
import type { WalkRequest, WalkResult } from "./walk.worker.ts";

/** How a walk is run. */
export interface WalkRun {
  signal: AbortSignal;
  /** Where the rows go; null to count only. */
  file: string | null;
  /** Milliseconds after which the walk ends incomplete; null for no bound. */
  deadlineMs: number | null;
}

/** Walks the sources in a Worker. Fails with the signal's reason, or with an Error when a source is gone. */
export async function walkInThread(
  options: CollectOptions,
  roots: SourceRoot[],
  { signal, file, deadlineMs }: WalkRun,
): Promise<WalkResult> {
  const excluded = await identities([options.target, ...options.forbidden]);
  signal.throwIfAborted();
  const stop = makeStopFlag();
  const finished = Promise.withResolvers<WalkResult>();
  const url = workerUrl("services/collector/collect/walk.worker");
  const thread = new Thread<null, WalkRequest, WalkResult>(url, null, finished.resolve, finished.reject);
  const onAbort = () => {
    requestStop(stop);
    finished.reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    thread.post({ kind: "walk", options, roots, excluded, file, deadlineMs, stop });
    return await finished.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await thread.end();
  }
}

/** `device:inode` of those paths that exist. */
async function identities(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map((path) => identity(path)));
  return found.filter((text) => text !== undefined);
}

async function identity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
