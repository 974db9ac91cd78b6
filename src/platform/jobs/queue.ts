/** The rows of the job queue: each function is one statement, so that each step either happened or did not. */
import { and, asc, desc, eq, getTableColumns, inArray, lt, or, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { type JobRow, jobs } from "./tables.ts";

/** How long a node may keep a job without a heartbeat before others may take it over, in seconds. */
export const leaseSeconds = 15;

/** How often a job is started at most; each crash of its node counts once, an orderly stop does not. */
const mostAttempts = 5;

type Orm = PostgresJsDatabase;

const leaseEnd = sql`now() + make_interval(secs => ${leaseSeconds})`;

/** A job that `node` still holds: a node that lost its lease changes nothing any more. */
const heldBy = (id: string, node: string, attempt: number) =>
  and(eq(jobs.id, id), eq(jobs.status, "running"), eq(jobs.leaseOwner, node), eq(jobs.attempt, attempt));

export async function insertJob(orm: Orm, kind: string, payload: unknown): Promise<JobRow> {
  const [row] = await orm.insert(jobs).values({ kind, payload }).returning();
  if (!row) throw new Error("the job was not stored");
  return row;
}

/** Leases the oldest job of `kind` that waits, or whose node stopped renewing its lease; null when there is none. */
export async function claimJob(orm: Orm, kind: string, node: string): Promise<JobRow | null> {
  const free = or(
    eq(jobs.status, "pending"),
    and(eq(jobs.status, "running"), lt(jobs.leaseUntil, sql`now()`)),
  );
  const next = orm
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        eq(jobs.kind, kind),
        inArray(jobs.status, ["pending", "running"]),
        free,
        lt(jobs.attempt, mostAttempts),
      ),
    )
    .orderBy(asc(jobs.createdAt))
    .limit(1)
    .for("update", { skipLocked: true });
  const [row] = await orm
    .update(jobs)
    .set({
      status: "running",
      attempt: sql`${jobs.attempt} + 1`,
      leaseOwner: node,
      leaseUntil: leaseEnd,
      startedAt: sql`coalesce(${jobs.startedAt}, now())`,
    })
    .where(eq(jobs.id, sql`(${next})`))
    .returning();
  return row ?? null;
}

/** Gives up jobs of `kind` that were started too often without coming to an end. */
export async function failExhausted(orm: Orm, kind: string): Promise<void> {
  await orm
    .update(jobs)
    .set({
      status: "failed",
      error: `Interrupted ${mostAttempts} times`,
      finishedAt: sql`now()`,
      leaseOwner: null,
    })
    .where(
      and(
        eq(jobs.kind, kind),
        inArray(jobs.status, ["pending", "running"]),
        sql`${jobs.attempt} >= ${mostAttempts}`,
        sql`coalesce(${jobs.leaseUntil}, now()) <= now()`,
      ),
    );
}

/** Renews a lease; answers whether a cancellation was asked for, or null when the lease is lost. */
export async function renewLease(
  orm: Orm,
  row: JobRow,
  progress: unknown,
): Promise<{ cancel: boolean } | null> {
  const [kept] = await orm
    .update(jobs)
    .set({ leaseUntil: leaseEnd, ...(progress === undefined ? {} : { progress }) })
    .where(heldBy(row.id, row.leaseOwner ?? "", row.attempt))
    .returning({ cancel: jobs.cancelRequested });
  return kept ?? null;
}

export interface Outcome {
  status: "completed" | "failed" | "cancelled";
  /** What replaces the job's payload. */
  payload: unknown;
  progress: unknown;
  result: unknown;
  error: string | null;
}

/** Ends a job; answers whether this node still held it. */
export async function finishJob(orm: Orm, row: JobRow, outcome: Outcome): Promise<boolean> {
  const ended = await orm
    .update(jobs)
    .set({ ...outcome, finishedAt: sql`now()`, leaseOwner: null, leaseUntil: null })
    .where(heldBy(row.id, row.leaseOwner ?? "", row.attempt))
    .returning({ id: jobs.id });
  return ended.length === 1;
}

/** Puts a job back in the queue, for an orderly stop: it does not count as an attempt. */
export async function releaseJob(orm: Orm, row: JobRow): Promise<void> {
  await orm
    .update(jobs)
    .set({ status: "pending", leaseOwner: null, leaseUntil: null, attempt: sql`${jobs.attempt} - 1` })
    .where(heldBy(row.id, row.leaseOwner ?? "", row.attempt));
}

/** Frees what a killed predecessor on the same data directory still held. */
export async function releaseNode(orm: Orm, node: string): Promise<void> {
  await orm
    .update(jobs)
    .set({ leaseUntil: sql`now()` })
    .where(and(eq(jobs.status, "running"), eq(jobs.leaseOwner, node)));
}

/** Asks for a job's end: one that waits ends at once, one that runs is told by its node. Null: no such job. */
export async function requestCancel(orm: Orm, id: string): Promise<JobRow | null> {
  const [row] = await orm
    .update(jobs)
    .set({
      cancelRequested: true,
      status: sql`case when ${jobs.status} = 'pending' then 'cancelled' else ${jobs.status} end`,
      finishedAt: sql`case when ${jobs.status} = 'pending' then now() else ${jobs.finishedAt} end`,
    })
    .where(eq(jobs.id, id))
    .returning();
  return row ?? null;
}

export async function findJob(orm: Orm, id: string): Promise<JobRow | null> {
  const [row] = await orm.select().from(jobs).where(eq(jobs.id, id)).limit(1);
  return row ?? null;
}

export async function deleteJob(orm: Orm, id: string): Promise<void> {
  await orm.delete(jobs).where(eq(jobs.id, id));
}

/** Forgets jobs of one kind that were over before `days` days ago. */
export async function deleteOldJobs(orm: Orm, kind: string, days: number): Promise<void> {
  const before = sql`now() - make_interval(days => ${days})`;
  await orm.delete(jobs).where(and(eq(jobs.kind, kind), lt(jobs.finishedAt, before)));
}

/** Jobs of one kind, newest first, with how many there are in all. */
export async function listJobs(
  orm: Orm,
  filter: { kind: string; status?: JobRow["status"] },
  page: { limit: number; offset: number },
): Promise<{ total: number; rows: JobRow[] }> {
  const wanted = and(eq(jobs.kind, filter.kind), filter.status ? eq(jobs.status, filter.status) : undefined);
  const total = await orm.$count(jobs, wanted);
  const rows = await orm
    .select(getTableColumns(jobs))
    .from(jobs)
    .where(wanted)
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(page.limit)
    .offset(page.offset);
  return { total, rows };
}
