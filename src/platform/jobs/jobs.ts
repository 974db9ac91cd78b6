/**
 * The durable queue. A job is a leased row: it outlives the process, waits its turn, runs on one node at a time, is taken over
 * when that node dies, and ends exactly once. Used by Collector and Pipelines.
 */
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Topics } from "../realtime/topics.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import type { Job, JobKind } from "./job.ts";
import {
  claimJob,
  deleteJob,
  deleteOldJobs,
  failExhausted,
  findJob,
  insertJob,
  listJobs,
  releaseNode,
  requestCancel,
} from "./queue.ts";
import { type RunningJob, runJob } from "./runner.ts";
import type { JobRow } from "./tables.ts";

export type { Job, JobKind, JobRun } from "./job.ts";

/** Finds jobs whose node died, and those whose wake-up was lost. */
const pollMilliseconds = 5_000;
const watchMilliseconds = 100;
const remoteWatchMilliseconds = 500;
const cancelLimitMilliseconds = 10_000;

const isOver = (job: Job): boolean => job.status !== "pending" && job.status !== "running";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export class Jobs {
  private readonly orm: PostgresJsDatabase;
  private readonly topics: Topics;
  private readonly log: Log;
  private readonly node: string;
  private readonly kinds = new Map<string, JobKind>();
  private readonly running = new Map<string, RunningJob>();
  private readonly claiming = new Map<string, Promise<void>>();
  private timer: Timer | null = null;
  private stopping = false;

  /** `node` names this server's data directory; see `nodeId`. */
  constructor(orm: PostgresJsDatabase, topics: Topics, log: Log, node: string) {
    this.orm = orm;
    this.topics = topics;
    this.log = log;
    this.node = node;
  }

  /** Names a kind of work, before `start`. */
  register(kind: JobKind): void {
    this.kinds.set(kind.kind, kind);
  }

  /** Takes up what a predecessor left and begins to take jobs. */
  async start(): Promise<void> {
    await releaseNode(this.orm, this.node);
    this.topics.subscribe<{ kind: string }>("jobs:enqueued", ({ kind }) => this.wake(kind));
    this.topics.subscribe<{ id: string }>("jobs:cancel", ({ id }) => this.running.get(id)?.stop("cancelled"));
    const all = () => {
      for (const kind of this.kinds.keys()) this.wake(kind);
    };
    this.topics.onResync(all);
    this.timer = setInterval(all, pollMilliseconds);
    all();
  }

  /** Stops taking jobs, stops those that run and gives them back: they go on at the next start or on another node. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.timer) clearInterval(this.timer);
    await Promise.allSettled(this.claiming.values());
    for (const job of this.running.values()) job.stop("shutdown");
    await Promise.all([...this.running.values()].map((job) => job.done));
  }

  /** Stores a job; once this answers it will be done, whatever happens to this process. */
  async enqueue(kind: string, payload: object): Promise<Job> {
    const row = await insertJob(this.orm, kind, payload);
    await this.topics.broadcast("jobs:enqueued", { kind }).catch(() => {});
    return row;
  }

  /** A job with its latest progress; null when there is none of that id, or it is no id at all. */
  async find(id: string): Promise<Job | null> {
    if (!uuid.test(id)) return null;
    const local = this.running.get(id.toLowerCase());
    if (local) return { ...local.row, progress: local.progress() };
    return await findJob(this.orm, id);
  }

  /** Jobs of one kind, newest first. */
  async list(
    filter: { kind: string; status?: JobRow["status"] },
    page: { limit: number; offset: number },
  ): Promise<{ total: number; jobs: Job[] }> {
    const { total, rows } = await listJobs(this.orm, filter, page);
    return {
      total,
      jobs: rows.map((row) => ({ ...row, progress: this.running.get(row.id)?.progress() ?? row.progress })),
    };
  }

  /** Ends a job that waits or runs, wherever it runs, and answers once it has stopped. False: no such job. */
  async cancel(id: string): Promise<boolean> {
    const row = uuid.test(id) ? await requestCancel(this.orm, id) : null;
    if (!row) return false;
    if (row.status === "cancelled") this.topics.publish(`job:${row.id}`, null);
    await this.topics.broadcast("jobs:cancel", { id: row.id });
    for (let waited = 0; waited < cancelLimitMilliseconds; waited += watchMilliseconds) {
      const local = this.running.get(row.id);
      if (local) await local.done;
      const job = await findJob(this.orm, row.id);
      if (!job || isOver(job)) return true;
      await Bun.sleep(watchMilliseconds);
    }
    return true;
  }

  /** Forgets a job that is over. */
  async remove(id: string): Promise<void> {
    if (uuid.test(id)) await deleteJob(this.orm, id);
  }

  /** Forgets jobs of one kind that were over before `days` days ago. */
  async expire(kind: string, days: number): Promise<void> {
    await deleteOldJobs(this.orm, kind, days);
  }

  /**
   * Tells `listener` how a job goes, at most ten times a second, until it is over or the answered function is called. The last call always
   * carries the job's end; null means that the job is gone.
   */
  watch(id: string, listener: (job: Job | null) => void): () => void {
    let watching = true;
    let wake = () => {};
    const unsubscribe = this.topics.subscribe<null>(`job:${id.toLowerCase()}`, () => wake());
    const follow = async () => {
      let last = "";
      while (watching) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const job = await this.find(id).catch(() => undefined);
        const state = JSON.stringify([job?.status, job?.progress]);
        if (watching && job !== undefined && state !== last) listener(job);
        last = state;
        if (job === null || (job && isOver(job))) break;
        await Bun.sleep(watchMilliseconds);
        await Promise.race([changed, Bun.sleep(remoteWatchMilliseconds)]);
      }
      unsubscribe();
    };
    void follow();
    return () => {
      watching = false;
      unsubscribe();
    };
  }

  /** Claims jobs of a kind while there is room; one claim at a time, asked again if woken meanwhile. */
  private wake(name: string): void {
    const kind = this.kinds.get(name);
    if (!kind || this.stopping) return;
    const claim = (this.claiming.get(name) ?? Promise.resolve()).then(() => this.fill(kind));
    this.claiming.set(
      name,
      claim.catch((error: unknown) => this.log.warn({ reason: reasonOf(error) }, "jobs cannot be taken")),
    );
  }

  private async fill(kind: JobKind): Promise<void> {
    const busy = () => [...this.running.values()].filter((job) => job.row.kind === kind.kind).length;
    while (!this.stopping && busy() < kind.concurrency) {
      const row = await claimJob(this.orm, kind.kind, this.node);
      if (!row) break;
      this.launch(kind, row);
    }
    await failExhausted(this.orm, kind.kind);
  }

  private launch(kind: JobKind, row: JobRow): void {
    const topic = `job:${row.id}`;
    const onProgress = () => this.topics.publish(topic, null);
    const job = runJob({ orm: this.orm, kind, row, log: this.log, onProgress });
    this.running.set(row.id, job);
    void job.done.then(() => {
      this.running.delete(row.id);
      this.topics.publish(topic, null);
      this.wake(kind.kind);
    });
  }
}
