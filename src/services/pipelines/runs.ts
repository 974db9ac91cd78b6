/** Runs: asked for, looked at, cancelled. Doing them is `run/`'s. */
import type { Sql } from "postgres";
import type { Queries } from "../../platform/database/connect.ts";
import { isDuplicate } from "../../platform/database/refusal.ts";
import { conflict, invalid } from "../../platform/http/failures.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Definition } from "./definition.ts";
import { unknown } from "./ids.ts";
import { dagIdOf, runOfDagRun } from "./orchestrate/airflow/names.ts";
import type { Pipelines } from "./pipelines.ts";
import type { RunMetrics, runStatuses } from "./tables.ts";

export type RunStatus = (typeof runStatuses)[number];

export interface Run {
  id: number;
  pipeline_id: number;
  version: number;
  status: RunStatus;
  phase: string | null;
  cause: string;
  parameters: Record<string, unknown>;
  attempt: number;
  rows_processed: number;
  metrics: RunMetrics | null;
  error_code: string | null;
  error: string | null;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  /** The DAG by which Airflow was asked for it. */
  airflow_dag_id: string | null;
  /** Nobody takes it before Airflow's task has asked for it. */
  is_held: boolean;
}

/** Something that happened to a run. */
export interface RunNews {
  pipelineId: number;
  runId: number;
}

export const queuedTopic = "pipelines-queued";
export const cancelTopic = "pipelines-cancel";
export const newsTopic = "pipelines-news";
/** Any number; the pipeline is the other half of the lock. */
const overlapLock = 511_190_084;

export interface RunRequest {
  pipelineId: number;
  cause: string;
  parameters?: Record<string, unknown>;
  idempotencyKey?: string | null;
  /** The firing of a schedule that it stands for. */
  firedFor?: string | null;
  by?: number | null;
  /** Which version, if not the one that is deployed. */
  version?: number | null;
  /** Held until Airflow's task asks for it; of a version that is not deployed Airflow has no DAG, and it runs here. */
  forAirflow?: boolean;
  /** Seconds in which nobody takes it but who is there for this very run. */
  reservedSeconds?: number;
}

/** The columns of a `Run`. */
export const runColumns = (
  sql: Queries,
) => sql`id, pipeline_id, version, status, phase, cause, parameters, attempt,
  rows_processed::float8 as rows_processed, metrics, error_code, error, created_at, started_at, finished_at, airflow_dag_id, is_held`;

export class Runs {
  private readonly sql: Sql;
  private readonly topics: Topics;
  private readonly pipelines: Pipelines;

  constructor(sql: Sql, topics: Topics, pipelines: Pipelines) {
    this.sql = sql;
    this.topics = topics;
    this.pipelines = pipelines;
  }

  /**
   * Asks for a run of what is deployed, else of the newest version. Under an idempotency key that was used before it answers the first run; under the name of Airflow's
   * run, the run that waits for it, which may go on then. Fails with `notFound`, `invalid` (nothing to be run), `conflict` (one runs already and the pipeline refuses
   * another).
   */
  async request(request: RunRequest): Promise<{ run: Run; isNew: boolean }> {
    const { pipelineId, idempotencyKey: key = null } = request;
    const pipeline = await this.pipelines.find(pipelineId);
    const known = key === null ? await this.sameFiring(request) : await this.known(request, key);
    if (known) return { run: known, isNew: false };
    const version = request.version ?? pipeline.deployed_version ?? pipeline.version;
    const definition = await this.pipelines.definitionOf(pipelineId, version);
    const isHeld = request.forAirflow === true && version === pipeline.deployed_version;
    const dagId = isHeld ? dagIdOf(pipelineId, version) : null;
    try {
      const run = await this.sql.begin(async (tx) => {
        await requireRunnable(tx, pipelineId, definition);
        return await insert(tx, request, version, dagId);
      });
      if (!isHeld) await this.topics.broadcast(queuedTopic, null).catch(() => {});
      return { run, isNew: true };
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const first = key === null ? await this.sameFiring(request) : await this.byKey(pipelineId, key);
      if (!first) throw error;
      return { run: first, isNew: false };
    }
  }

  /** A page of a pipeline's runs, newest first. */
  async list(
    pipelineId: number,
    status: RunStatus | null,
    { limit, offset }: { limit: number; offset: number },
  ): Promise<{ rows: Run[]; total: number }> {
    const { sql } = this;
    const conditions = sql`pipeline_id = ${pipelineId} ${status === null ? sql`` : sql`and status = ${status}`}`;
    const rows = await sql<Run[]>`select ${runColumns(sql)} from pipelines.runs where ${conditions}
      order by id desc limit ${limit} offset ${offset}`;
    const [all] = await sql`select count(*)::int as total from pipelines.runs where ${conditions}`;
    return { rows, total: Number(all?.total ?? 0) };
  }

  /** A run of a pipeline. Fails with `notFound`. */
  async find(pipelineId: number, runId: number): Promise<Run> {
    const [run] = await this.sql<Run[]>`select ${runColumns(this.sql)} from pipelines.runs
      where id = ${runId} and pipeline_id = ${pipelineId}`;
    if (!run) throw unknown("run");
    return run;
  }

  /** The newest run of a pipeline; null when there is none. */
  async latest(pipelineId: number): Promise<Run | null> {
    const [run] = await this.sql<Run[]>`select ${runColumns(this.sql)} from pipelines.runs
      where pipeline_id = ${pipelineId} order by id desc limit 1`;
    return run ?? null;
  }

  async logs(runId: number, after: number, limit: number) {
    return await this.sql`select id::float8 as id, at, level, message from pipelines.run_logs
      where run_id = ${runId} and id > ${after} order by id limit ${limit}`;
  }

  /** Has a run that waits or goes on cancelled. Fails with `notFound`, or `conflict` when it is over. */
  async cancel(pipelineId: number, runId: number): Promise<Run> {
    const [row] = await this.sql`update pipelines.runs set cancel_requested = now(),
        status = case when status = 'pending' then 'cancelled' else status end,
        finished_at = case when status = 'pending' then now() else finished_at end
      where id = ${runId} and pipeline_id = ${pipelineId} and status in ('pending', 'running') returning id`;
    const run = await this.find(pipelineId, runId);
    if (!row) throw conflict(`The run is over: ${run.status}`);
    await this.topics.broadcast(cancelTopic, runId);
    await this.topics.broadcast(newsTopic, { pipelineId, runId } satisfies RunNews);
    return run;
  }

  /** Takes a run away that still waits for Airflow, as if it had never been asked for. False: it goes on already. */
  async takeBack(runId: number): Promise<boolean> {
    const gone = await this
      .sql`delete from pipelines.runs where id = ${runId} and is_held and status = 'pending'`;
    return gone.count > 0;
  }

  /** Has a run that still waits for Airflow fail. */
  async failHeld({ id, pipeline_id: pipelineId }: Run, reason: string): Promise<void> {
    await this.sql`update pipelines.runs set status = 'failed', finished_at = now(), is_held = false,
        error_code = 'PIPELINE_EXECUTION_ERROR', error = ${reason}
      where id = ${id} and is_held and status = 'pending'`;
    await this.topics.broadcast(newsTopic, { pipelineId, runId: id } satisfies RunNews);
  }

  /** The open runs that Airflow was asked for. */
  async ofAirflow(): Promise<Run[]> {
    return await this.sql<Run[]>`select ${runColumns(this.sql)} from pipelines.runs
      where status in ('pending', 'running') and airflow_dag_id is not null order by id`;
  }

  private async known({ pipelineId, reservedSeconds = 0 }: RunRequest, key: string): Promise<Run | null> {
    const held = runOfDagRun(key);
    return held === null
      ? await this.byKey(pipelineId, key)
      : await this.release(pipelineId, held, reservedSeconds);
  }

  /** Lets a run go on that waited for Airflow; any other stays as it is. Fails with `notFound`. */
  private async release(pipelineId: number, runId: number, reservedSeconds: number): Promise<Run> {
    const freed = await this.sql`update pipelines.runs set is_held = false,
        not_before = now() + make_interval(secs => ${reservedSeconds})
      where id = ${runId} and pipeline_id = ${pipelineId} and is_held returning id`;
    if (freed.count > 0) await this.topics.broadcast(queuedTopic, null).catch(() => {});
    return await this.find(pipelineId, runId);
  }

  private async byKey(pipelineId: number, key: string): Promise<Run | null> {
    const [run] = await this.sql<Run[]>`select ${runColumns(this.sql)} from pipelines.runs
      where pipeline_id = ${pipelineId} and idempotency_key = ${key}`;
    return run ?? null;
  }

  /** The run that a firing of a schedule has already; or the one of an earlier firing that nobody has begun yet, for whoever comes late need not come twice. */
  private async sameFiring({ pipelineId, cause, firedFor = null }: RunRequest): Promise<Run | null> {
    if (firedFor === null) return null;
    const [run] = await this.sql<Run[]>`select ${runColumns(this.sql)} from pipelines.runs
      where pipeline_id = ${pipelineId} and (fired_for = ${firedFor}
        or fired_for is not null and cause = ${cause} and status = 'pending' and attempt = 0)
      order by fired_for = ${firedFor} desc limit 1`;
    return run ?? null;
  }
}

/** Of those who ask at the same moment where `config.overlap` is `refuse`, one gets a run. */
async function requireRunnable(
  tx: Queries,
  pipelineId: number,
  { sources, targets, config }: Definition,
): Promise<void> {
  if (sources.length === 0 || targets.length === 0)
    throw invalid("A pipeline needs a source and a target to run");
  if (config.overlap !== "refuse") return;
  await tx`select pg_advisory_xact_lock(${overlapLock}, ${pipelineId})`;
  const [open] = await tx`select id from pipelines.runs
    where pipeline_id = ${pipelineId} and status in ('pending', 'running') limit 1`;
  if (open) throw conflict("The pipeline is running, and does not run twice at once");
}

async function insert(
  tx: Queries,
  {
    pipelineId,
    cause,
    parameters = {},
    idempotencyKey = null,
    firedFor = null,
    by = null,
    reservedSeconds = 0,
  }: RunRequest,
  version: number,
  dagId: string | null,
): Promise<Run> {
  const [run] = await tx<
    Run[]
  >`insert into pipelines.runs (pipeline_id, version, cause, parameters, idempotency_key, fired_for, created_by, airflow_dag_id, is_held, not_before)
    values (${pipelineId}, ${version}, ${cause}, ${JSON.stringify(parameters)}::text::jsonb, ${idempotencyKey}, ${firedFor}, ${by},
      ${dagId}, ${dagId !== null}, now() + make_interval(secs => ${reservedSeconds}))
    returning ${runColumns(tx)}`;
  if (!run) throw new Error("the run was not stored");
  return run;
}
