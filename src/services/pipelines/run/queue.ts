/**
 * The queue of runs. A run is leased to a server, which shows every second that it lives; of one that does not, others take over. One run of a pipeline goes on at a
 * time; a failed one is tried again after growing pauses, and the others wait for it: it may have published what they would read again.
 */
import type { Fragment, Sql } from "postgres";
import { isDuplicate } from "../../../platform/database/refusal.ts";
import { type Run, runColumns } from "../runs.ts";
import type { RunMetrics } from "../tables.ts";

export const leaseSeconds = 15;
const mostCollisions = 10;
/** More than `config.retries` allows. A run that takes its server down each time must come to an end. */
const mostAttempts = 25;

/** Leases the run that has waited longest and may go on, or none but `only`; null when there is none. */
export async function claimRun(sql: Sql, owner: string, only: number | null = null): Promise<Run | null> {
  // The first attempt may be kept for whoever is there for this very run.
  const isDue =
    only === null
      ? sql`r.not_before <= now()`
      : sql`r.id = ${only} and (r.not_before <= now() or r.attempt = 0)`;
  for (let collisions = 0; ; collisions++) {
    try {
      return await claimOnce(sql, owner, isDue);
    } catch (error) {
      // Another server took another run of the same pipeline in the same moment.
      if (!isDuplicate(error) || collisions === mostCollisions) throw error;
    }
  }
}

async function claimOnce(sql: Sql, owner: string, isDue: Fragment): Promise<Run | null> {
  const [run] = await sql<
    Run[]
  >`update pipelines.runs set status = 'running', attempt = attempt + 1, lease_owner = ${owner},
        lease_until = now() + make_interval(secs => ${leaseSeconds}), started_at = coalesce(started_at, now()), phase = 'starting'
      where id = (
        select r.id from pipelines.runs r join pipelines.pipelines p on p.id = r.pipeline_id
        where r.status = 'pending' and not r.is_held and p.deleted_at is null and (p.status <> 'paused' or r.fired_for is null) and ${isDue}
          and not exists (select from pipelines.runs o where o.pipeline_id = r.pipeline_id and (o.status = 'running'
            or o.status = 'pending' and o.attempt > 0 and (r.attempt = 0 or o.id < r.id)))
        order by r.not_before, r.id limit 1 for update of r skip locked)
      returning ${runColumns(sql)}`;
  return run ?? null;
}

/** Shows that a run goes on, and how far it is. Null: it is no longer ours. */
export async function renewLease(
  sql: Sql,
  runId: number,
  owner: string,
  { phase, rows }: { phase: string; rows: number },
): Promise<{ cancel: boolean } | null> {
  const [row] =
    await sql`update pipelines.runs set lease_until = now() + make_interval(secs => ${leaseSeconds}),
      phase = ${phase}, rows_processed = ${rows}
    where id = ${runId} and lease_owner = ${owner} and status = 'running' returning cancel_requested`;
  return row ? { cancel: row.cancel_requested !== null } : null;
}

export interface RunEnd {
  /** `unfinished`: it goes on, whatever its retries are and whoever cancelled it. */
  status: "success" | "failed" | "cancelled" | "unfinished";
  rows: number;
  metrics: RunMetrics;
  errorCode: string | null;
  error: string | null;
  /** Seconds after which it is tried again; null: it is over. */
  retryAfter: number | null;
}

/** Keeps how a run ended, or that it waits for its next attempt. False: it is no longer ours. */
export async function finishRun(sql: Sql, runId: number, owner: string, end: RunEnd): Promise<boolean> {
  const goesOn = end.status === "unfinished";
  const retries = end.status === "failed" && end.retryAfter !== null;
  const status = sql`case when ${goesOn} then case when attempt < ${mostAttempts} then 'pending' else 'failed' end
    when ${retries} and cancel_requested is not null then 'cancelled' else ${retries ? "pending" : end.status} end`;
  const done = await sql`update pipelines.runs set status = ${status},
      cancel_requested = case when ${goesOn} then null else cancel_requested end,
      finished_at = case when ${status} = 'pending' then null else now() end, not_before = now() + make_interval(secs => ${end.retryAfter ?? 0}),
      phase = null, lease_owner = null, lease_until = null, rows_processed = ${end.rows},
      metrics = ${JSON.stringify(end.metrics)}::text::jsonb, error_code = ${end.errorCode}, error = ${end.error}
    where id = ${runId} and lease_owner = ${owner} and status = 'running'`;
  return done.count > 0;
}

/** What becomes of a run that nobody does any more. */
const afterwards = (sql: Sql) => sql`case when cancel_requested is not null then 'cancelled'
  when attempt >= ${mostAttempts} then 'failed' else 'pending' end`;

/** Gives runs back whose server is gone, or that `owner` left behind: they wait again. Answers which. */
export async function releaseDead(
  sql: Sql,
  owner: string | null = null,
): Promise<{ id: number; pipelineId: number }[]> {
  const rows = await sql`update pipelines.runs set status = ${afterwards(sql)},
      finished_at = case when ${afterwards(sql)} = 'pending' then null else now() end,
      lease_owner = null, lease_until = null, phase = null, not_before = now(),
      error_code = 'PIPELINE_EXECUTION_ERROR', error = 'the server was interrupted'
    where status = 'running' and (lease_until < now() or lease_owner = ${owner}) returning id, pipeline_id`;
  return rows.map((row) => ({ id: Number(row.id), pipelineId: Number(row.pipeline_id) }));
}

/** Gives back a run that this server does not finish, without counting the attempt. */
export async function giveBack(sql: Sql, runId: number, owner: string): Promise<void> {
  await sql`update pipelines.runs set status = case when cancel_requested is null then 'pending' else 'cancelled' end,
      finished_at = case when cancel_requested is null then null else now() end, attempt = attempt - 1, lease_owner = null, lease_until = null, phase = null
    where id = ${runId} and lease_owner = ${owner} and status = 'running'`;
}
