import type { JobRow } from "./tables.ts";

/** What the code of a job is given. */
export interface JobRun {
  id: string;
  payload: unknown;
  /** 1 for the first start; more after a crash or a stop: what was done before must be taken up, not repeated. */
  attempt: number;
  /** Aborted with a `StopReason` when the work has to stop, within a second. */
  signal: AbortSignal;
  /** Tells how far the work is. Cheap: kept in memory, told to watchers ten times a second, stored once a second. */
  progress(value: object): void;
}

/** One kind of durable work. */
export interface JobKind {
  kind: string;
  /** How many jobs of the kind one node runs at once. */
  concurrency: number;
  /** Does the work; what it answers is the job's result, what it throws its error. Aborted work throws anything. */
  run(job: JobRun): Promise<object>;
  /** What of the payload is kept once the job is over, for kinds whose payload carries secrets. */
  keep?(payload: unknown): object;
  /** Called once the job's end is stored: nothing that a repeated run would need is needed any more. */
  afterEnd?(job: {
    id: string;
    payload: unknown;
    status: "completed" | "failed" | "cancelled";
  }): Promise<void>;
}

/** Why a running job has to stop: asked for, this node stops (the job goes on elsewhere or later), or the lease is lost. */
export type StopReason = "cancelled" | "shutdown" | "lost";

/** A job as its watchers see it. */
export type Job = Pick<
  JobRow,
  | "id"
  | "kind"
  | "status"
  | "payload"
  | "progress"
  | "result"
  | "error"
  | "createdAt"
  | "startedAt"
  | "finishedAt"
>;
