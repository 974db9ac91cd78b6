/** Something that may be away for a while, such as a server that starts anew, is asked until it answers. */
import { setTimeout as sleep } from "node:timers/promises";

const first = 1_000;
const longest = 15_000;
/** How long nobody may answer, in milliseconds; less when somebody wants to leave. */
const limits = { patient: 5 * 60_000, leaving: 5_000 };

/** Says that trying again may help. */
export class AwayError extends Error {
  override readonly name = "AwayError";
  /** Seconds after which it asked to be asked again. */
  readonly retryAfter: number | null;

  constructor(message: string, retryAfter: number | null = null) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Waits for so many milliseconds, or until somebody wants to leave. */
export async function pause(milliseconds: number, leave: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal: leave }).catch(() => {});
}

/** Asks until the answer is no AwayError, some minutes at most. */
export async function patiently<T>(ask: () => Promise<T>, leave: AbortSignal): Promise<T> {
  const start = performance.now();
  for (let wait = first; ; wait = Math.min(wait * 2, longest)) {
    try {
      return await ask();
    } catch (error) {
      const limit = leave.aborted ? limits.leaving : limits.patient;
      if (!(error instanceof AwayError) || performance.now() - start > limit) throw error;
      const milliseconds = error.retryAfter === null ? wait : error.retryAfter * 1_000;
      // Whoever leaves is not kept by a long pause, and asks often for the little time that is left.
      if (leave.aborted) await sleep(Math.min(milliseconds, first));
      else await pause(milliseconds, leave);
    }
  }
}
