import { makeStopFlag, requestStop, type StopFlag } from "./stop-flag.ts";

/** How long stopping threads get to finish the system call that they are in, in milliseconds. */
const graceMs = 700;

/** The threads of one collection: they stop together, when the caller says so or when one of them fails. */
export class Run {
  readonly stop: StopFlag = makeStopFlag();
  readonly #signal: AbortSignal;
  readonly #owned: { end(): void }[] = [];
  readonly #failed = Promise.withResolvers<never>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    // Nobody may be waiting yet, or any more.
    this.#failed.promise.catch(() => undefined);
  }

  /** Something that is ended with the run. */
  owns<T extends { end(): void }>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }

  /** Ends the run with an error; the first one counts. */
  readonly fail = (error: Error): void => {
    requestStop(this.stop);
    this.#failed.reject(error);
  };

  /**
   * Does the work. When it fails or is aborted the threads are asked to stop and waited for with `settled`, for at
   * most {@link graceMs}; in every case they are ended.
   */
  async run(work: () => Promise<void>, settled: () => Promise<void>): Promise<void> {
    const onAbort = () => {
      requestStop(this.stop);
      this.#failed.reject(this.#signal.reason);
    };
    this.#signal.addEventListener("abort", onAbort, { once: true });
    if (this.#signal.aborted) onAbort();
    const working = work();
    try {
      await Promise.race([working, this.#failed.promise]);
    } catch (error) {
      requestStop(this.stop);
      working.catch(() => undefined);
      await Promise.race([settled(), Bun.sleep(graceMs)]);
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
      for (const thing of this.#owned) thing.end();
    }
  }
}
