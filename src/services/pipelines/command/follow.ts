/** Follows a run to its end. */
import type { FollowedRun, LogLine, RunView } from "./office.ts";
import { pause } from "./patience.ts";

const firstPause = 500;
const longestPause = 5_000;
/** How long a cancelled run is waited for, in milliseconds. */
const cancelMilliseconds = 10_000;

export interface Following {
  /** Told when somebody wants to leave: the run is cancelled then. */
  leave: AbortSignal;
  print(line: LogLine): void;
}

const isOver = (run: RunView): boolean => run.status !== "pending" && run.status !== "running";

/** Prints a run's log as it comes; answers how the run is when it is over, or when it does not end although it was cancelled. */
export async function follow(run: FollowedRun, { leave, print }: Following): Promise<RunView> {
  let after = 0;
  let cancelledAt = Number.POSITIVE_INFINITY;
  for (let wait = firstPause; ; wait = Math.min(wait * 1.5, longestPause)) {
    if (leave.aborted && cancelledAt === Number.POSITIVE_INFINITY) {
      await run.cancel();
      cancelledAt = performance.now();
    }
    // Its log is complete before it is over: asked for after, it is whole.
    const view = await run.look();
    for (const line of await run.lines(after)) {
      print(line);
      after = line.id;
    }
    if (isOver(view) || performance.now() - cancelledAt > cancelMilliseconds) return view;
    if (cancelledAt === Number.POSITIVE_INFINITY) await pause(wait, leave);
    else await Bun.sleep(firstPause);
  }
}
