import { availableParallelism } from "node:os";
import type { ArchiveEntry } from "./entry.ts";
import { type Step, stepsOf } from "./steps.ts";
import { inOrder, WorkerPool } from "./worker-pool.ts";

/** More Workers than this would only wait for the disk. */
const mostWorkers = 8;

/**
 * Has Workers of the program at `url` do every step of the entries and hands the replies to `put` in order. At most a few steps are under way, so that
 * memory stays bounded. Ends within moments of an abort, with the Workers gone.
 */
export async function runSteps<Task, Reply>(options: {
  url: string;
  entries: AsyncIterable<ArchiveEntry[]>;
  taskOf(step: Step): Task;
  signal: AbortSignal;
  put(step: Step, reply: Reply): Promise<void>;
}): Promise<void> {
  const { url, entries, taskOf, signal, put } = options;
  const size = Math.max(1, Math.min(mostWorkers, availableParallelism()));
  const pool = new WorkerPool<Task, Reply>(url, size);
  const stop = () => void pool.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const { task, reply } of inOrder(
      stepsOf(entries),
      (step) => pool.run(taskOf(step)),
      size * 3,
    )) {
      signal.throwIfAborted();
      await put(task, reply);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    await pool.close();
  }
}
