import { makeStopFlag, requestStop, type StopFlag } from "./stop-flag.ts";

/** The threads of one collection: they stop together, when the caller says so or when one of them fails. */
export class Run {
  readonly stop: StopFlag = makeStopFlag();
  readonly #signal: AbortSignal;
  readonly #owned: { end(): Promise<void> }[] = [];
  readonly #failed = Promise.withResolvers<never>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    // Nobody may be waiting yet, or any more.
    this.#failed.promise.catch(() => undefined);
  }

  /** Something that is ended with the run. */
  owns<T extends { end(): Promise<void> }>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }

  /** Ends the run with an error; the first one counts. */
  readonly fail = (error: Error): void => {
    requestStop(this.stop);
    this.#failed.reject(error);
  };

  /**
   * Does the work. When it fails or is aborted the threads stop between two system calls; in every case they are ended,
   * and waited for a moment.
   */
  async run(work: () => Promise<void>): Promise<void> {
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
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
      await Promise.all(this.#owned.map((thing) => thing.end()));
    }
  }
}
