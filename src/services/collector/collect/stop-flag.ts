/**
 * A flag that every thread of a collection looks at between two system calls. An AbortSignal does not reach into
 * Workers, and terminating one in the middle of a file would leave that file behind.
 */
export type StopFlag = Int32Array<SharedArrayBuffer>;

/** A flag that is not set. */
export function makeStopFlag(): StopFlag {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Asks every thread to stop. */
export function requestStop(flag: StopFlag): void {
  Atomics.store(flag, 0, 1);
}

/** Thrown in a Worker that was asked to stop. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** Throws {@link Stopped} once stopping was requested. */
export function throwIfStopped(flag: StopFlag): void {
  if (Atomics.load(flag, 0) !== 0) throw new Stopped("the collection was stopped");
}
