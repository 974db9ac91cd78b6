/** Takes runs from the queue and does them, a few at a time, until the server stops. */
import type { Sql } from "postgres";
import type { Topics } from "../../../platform/realtime/topics.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { Wakeable } from "../../../platform/wakeable.ts";
import { ConnectorError } from "../connect/connector.ts";
import type { Connectors } from "../connectors.ts";
import type { Pipelines } from "../pipelines.ts";
import { cancelTopic, newsTopic, queuedTopic, type Run, type RunNews } from "../runs.ts";
import type { RunMetrics } from "../tables.ts";
import { execute, PublishedInPart } from "./execute.ts";
import { NotRunnable } from "./not-runnable.ts";
import { PythonError, type PythonFault } from "./python/python-error.ts";
import {
  claimRun,
  finishRun,
  giveBack,
  leaseSeconds,
  type RunEnd,
  releaseDead,
  renewLease,
} from "./queue.ts";
import { RunLog } from "./run-log.ts";

export interface WorkerOptions {
  sql: Sql;
  topics: Topics;
  log: Log;
  pipelines: Pipelines;
  connectors: Connectors;
  dataDirectory: string;
  /** Runs at once. */
  concurrency: number;
  /** Names this server's data directory, which one server at a time has. */
  node: string;
  /** The one run that it is there for; any, when it is left out. */
  only?: number;
}

/** What a run is doing, fresher than its row. */
export interface RunState {
  phase: string;
  rows: number;
}

const pollMilliseconds = 2_000;
const beatMilliseconds = 1_000;
const newsMilliseconds = 200;
const noMetrics: RunMetrics = {
  extraction_time_ms: 0,
  transformation_time_ms: 0,
  loading_time_ms: 0,
  rows_extracted: 0,
  rows_loaded: 0,
};

/** Faults of a Python transformation that may be none the next time. */
const passing = new Set<PythonFault>(["killed", "disk"]);

/** Pause before a run goes on that published a part, where its retries are used up. */
const unfinishedSeconds = 10;

type StopReason = "cancelled" | "shutdown" | "lost" | "timeout";

interface Active {
  run: Run;
  state: RunState;
  controller: AbortController;
  done: Promise<void>;
}

export class RunWorker {
  private readonly options: WorkerOptions;
  private readonly active = new Map<number, Active>();
  private timer: Timer | null = null;
  private readonly filling = new Wakeable(() => this.fill());
  private isStopped = false;

  constructor(options: WorkerOptions) {
    this.options = options;
  }

  /** Takes up what a predecessor on this data directory left, and begins to take runs. */
  async start(): Promise<void> {
    const { topics, sql, node } = this.options;
    await releaseDead(sql, node);
    topics.subscribe(queuedTopic, () => this.wake());
    topics.subscribe<number>(cancelTopic, (id) => this.stopRun(id, "cancelled"));
    topics.onResync(() => this.wake());
    this.timer = setInterval(() => this.wake(), pollMilliseconds);
    this.wake();
  }

  /** Stops what runs and gives it back: it goes on at the next start, or on another server. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.filling.settled();
    for (const id of this.active.keys()) this.stopRun(id, "shutdown");
    await Promise.all([...this.active.values()].map(({ done }) => done));
  }

  /** What a run that goes on here is doing. */
  stateOf(runId: number): RunState | null {
    return this.active.get(runId)?.state ?? null;
  }

  private stopRun(id: number, reason: StopReason): void {
    this.active.get(id)?.controller.abort(reason);
  }

  private wake(): void {
    if (!this.isStopped) this.filling.wake();
  }

  private async fill(): Promise<void> {
    const { sql, log, concurrency, topics, node, only } = this.options;
    try {
      for (const { id, pipelineId } of await releaseDead(sql))
        await topics.broadcast(newsTopic, { pipelineId, runId: id } satisfies RunNews);
      while (this.active.size < concurrency && !this.isStopped) {
        const run = await claimRun(sql, node, only);
        if (!run) break;
        this.launch(run);
      }
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, "runs cannot be taken");
    }
  }

  private launch(run: Run): void {
    const controller = new AbortController();
    const state: RunState = { phase: "starting", rows: 0 };
    const done = this.work(run, state, controller)
      .catch((error: unknown) =>
        this.options.log.error({ err: error, run: run.id }, "a run could not be ended"),
      )
      .finally(() => {
        this.active.delete(run.id);
        this.wake();
      });
    this.active.set(run.id, { run, state, controller, done });
  }

  private async work(run: Run, state: RunState, controller: AbortController): Promise<void> {
    const { sql, pipelines, log } = this.options;
    const runLog = new RunLog(sql, run.id, (error) =>
      log.warn({ reason: reasonOf(error), run: run.id }, "a run's log could not be kept"),
    );
    const definition = await pipelines.definitionOf(run.pipeline_id, run.version);
    const { retries, retry_delay_seconds: delay, timeout_seconds: timeout } = definition.config;
    const news = setInterval(() => this.tell(run), newsMilliseconds);
    const beat = setInterval(() => void this.beat(run, state, controller), beatMilliseconds);
    const limit = setTimeout(() => controller.abort("timeout"), timeout * 1_000);
    runLog.add("info", `attempt ${run.attempt}, version ${run.version}`);
    let end: RunEnd;
    try {
      const { metrics, rows } = await execute({
        runId: run.id,
        createdAt: run.created_at,
        pipelineId: run.pipeline_id,
        definition,
        parameters: run.parameters,
        sql,
        connectors: this.options.connectors,
        dataDirectory: this.options.dataDirectory,
        signal: controller.signal,
        log: (message) => runLog.add("info", message),
        progress: (phase, rows) => Object.assign(state, { phase, rows }),
      });
      end = { status: "success", rows, metrics, errorCode: null, error: null, retryAfter: null };
    } catch (error) {
      const mayRetry = run.attempt <= retries;
      end = this.endOf(
        error,
        controller.signal,
        mayRetry ? delay * 2 ** (run.attempt - 1) : null,
        state.rows,
      );
      runLog.add("error", end.error ?? "cancelled");
    } finally {
      for (const timer of [news, beat]) clearInterval(timer);
      clearTimeout(limit);
    }
    await runLog.flushed();
    const reason = controller.signal.reason as StopReason | undefined;
    if (reason === "lost") return;
    if (reason === "shutdown" && end.status !== "success") await giveBack(sql, run.id, this.options.node);
    else await finishRun(sql, run.id, this.options.node, end);
    this.tell(run);
  }

  private endOf(error: unknown, signal: AbortSignal, retryAfter: number | null, rows: number): RunEnd {
    const failed = { rows, metrics: noMetrics, retryAfter } as const;
    if (error instanceof PublishedInPart)
      return {
        ...failed,
        status: "unfinished",
        errorCode: "PIPELINE_EXECUTION_ERROR",
        error: error.message.slice(0, 2_000),
        retryAfter: retryAfter ?? unfinishedSeconds,
      };
    if (signal.reason === "cancelled")
      return { ...failed, status: "cancelled", errorCode: null, error: null, retryAfter: null };
    if (signal.reason === "timeout")
      return {
        ...failed,
        status: "failed",
        errorCode: "PIPELINE_EXECUTION_ERROR",
        error: "the run took too long",
      };
    const isConnector = error instanceof ConnectorError;
    // What is wrong with the pipeline itself does not get better by trying again.
    const isFinal =
      error instanceof NotRunnable ||
      (error instanceof PythonError && !passing.has(error.fault)) ||
      (isConnector && ["unsupported", "schema", "notFound", "authentication"].includes(error.code));
    return {
      ...failed,
      status: "failed",
      errorCode: isConnector ? "CONNECTOR_ERROR" : "PIPELINE_EXECUTION_ERROR",
      error: reasonOf(error).slice(0, 2_000),
      retryAfter: isFinal ? null : retryAfter,
    };
  }

  private async beat(run: Run, state: RunState, controller: AbortController): Promise<void> {
    try {
      const kept = await renewLease(this.options.sql, run.id, this.options.node, state);
      if (!kept) controller.abort("lost");
      else if (kept.cancel) controller.abort("cancelled");
    } catch (error) {
      this.options.log.warn(
        { reason: reasonOf(error), run: run.id, leaseSeconds },
        "a run's lease could not be renewed",
      );
    }
  }

  private tell(run: Run): void {
    const news: RunNews = { pipelineId: run.pipeline_id, runId: run.id };
    this.options.topics.publish(newsTopic, news);
  }
}
