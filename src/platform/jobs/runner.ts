/** One running job on this node: heartbeat, progress, cancellation, and its end committed before anybody is told. */
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import type { JobKind, StopReason } from "./job.ts";
import { finishJob, leaseSeconds, type Outcome, releaseJob, renewLease } from "./queue.ts";
import type { JobRow } from "./tables.ts";

const heartbeatMilliseconds = 1_000;
const finishRetryMilliseconds = 500;

export interface RunningJob {
  row: JobRow;
  /** Latest progress, fresher than the row's. */
  progress(): unknown;
  stop(reason: StopReason): void;
  /** Settles when the end is committed (or the job was given back or lost). Never rejects. */
  done: Promise<void>;
}

/** Starts the work of a leased job. `onProgress` is called at every step; throttling is the caller's. */
export function runJob(options: {
  orm: PostgresJsDatabase;
  kind: JobKind;
  row: JobRow;
  log: Log;
  onProgress(): void;
}): RunningJob {
  const { orm, kind, row } = options;
  const log = options.log.child({ job: row.id, kind: kind.kind });
  const controller = new AbortController();
  let progress: unknown = row.progress;
  let changed = false;
  let renewedAt = performance.now();

  const cleanUpFailed = (error: unknown) =>
    log.warn({ reason: reasonOf(error) }, "cleaning up after the job failed");

  const stop = (reason: StopReason) => controller.abort(reason);

  async function beat(): Promise<void> {
    const value = changed ? progress : undefined;
    changed = false;
    try {
      const kept = await renewLease(orm, row, value);
      if (!kept) return stop("lost");
      renewedAt = performance.now();
      if (kept.cancel) stop("cancelled");
    } catch (error) {
      changed = true;
      log.warn({ reason: reasonOf(error) }, "heartbeat failed");
      // Others may take the job over once its lease is out: stop before that.
      if (performance.now() - renewedAt > (leaseSeconds - 3) * 1_000) stop("lost");
    }
  }

  async function heartbeat(): Promise<void> {
    while (!finished && !controller.signal.aborted) {
      await Promise.race([Bun.sleep(heartbeatMilliseconds), work]);
      if (!finished && !controller.signal.aborted) await beat();
    }
  }

  type End = Omit<Outcome, "payload">;

  async function execute(): Promise<End> {
    try {
      const result = await kind.run({
        id: row.id,
        payload: row.payload,
        attempt: row.attempt,
        signal: controller.signal,
        progress(value) {
          progress = value;
          changed = true;
          options.onProgress();
        },
      });
      return { status: "completed", progress, result, error: null };
    } catch (error) {
      if (controller.signal.reason === "cancelled")
        return { status: "cancelled", progress, result: null, error: null };
      if (!controller.signal.aborted) log.warn({ err: error }, "job failed");
      return { status: "failed", progress, result: null, error: reasonOf(error) };
    }
  }

  async function settle(end: End): Promise<void> {
    const reason = controller.signal.reason as StopReason | undefined;
    if (reason === "lost") return;
    if (reason === "shutdown" && end.status !== "completed") return await releaseJob(orm, row);
    const held = await finishJob(orm, row, {
      ...end,
      payload: kind.keep ? kind.keep(row.payload) : row.payload,
    });
    if (held)
      await kind.afterEnd?.({ id: row.id, payload: row.payload, status: end.status }).catch(cleanUpFailed);
  }

  if (row.cancelRequested) stop("cancelled");
  let finished = false;
  const work = execute().finally(() => {
    finished = true;
  });

  async function toTheEnd(): Promise<void> {
    const beating = heartbeat();
    const end = await work;
    await beating;
    for (let left = leaseSeconds * 1_000; left > 0; left -= finishRetryMilliseconds) {
      try {
        return await settle(end);
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, "the job's end is not stored yet");
        await Bun.sleep(finishRetryMilliseconds);
      }
    }
    log.error("the job's end could not be stored: it will be run again");
  }

  return { row, progress: () => progress, stop, done: toTheEnd() };
}
