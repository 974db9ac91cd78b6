/**
 * Reading a large table by several sessions that see one snapshot (PostgreSQL documentation, "Snapshot Synchronization Functions"): each copies a range of pages, then the
 * next one that nobody has taken yet, until none is left.
 */
import type { RowStream } from "../types.ts";
import { PostgresError } from "./messages.ts";
import { beginReading, columnsOf, type Source, selectOf } from "./read.ts";
import { Readers, rangesOf, type Snapshot, stayOpen } from "./readers.ts";
import type { Session } from "./wire.ts";

/** Which tables are read together, and how. */
export interface Parallelism {
  /** Tables below this many bytes are read by one session. */
  leastBytes: number;
  /** Pages of a range. */
  rangePages: number;
  mostSessions: number;
}

export const largeTables: Parallelism = {
  // One session reads this in half a second; to log in others takes a good part of that over a slow line.
  leastBytes: 64 * 1024 * 1024,
  // 16 MiB: a range costs no more than a round trip, and at the end none waits long for the last.
  rangePages: 2048,
  // What one session of a server's processor gives (140 MB/s), our one thread takes four times.
  mostSessions: 4,
};

export interface Together {
  /** In the transaction in which the source was checked. */
  lead: Session;
  source: Source;
  parallelism: Parallelism;
  /** Opens another session, which `signal` ends. */
  open(signal: AbortSignal): Promise<Session>;
  signal: AbortSignal;
}

/**
 * The rows of a large table, in no order, by as many sessions as the server lets in; they are given up with the stream, whatever way that ends. Null for what one session
 * reads better: the lead is in a transaction for that.
 */
export async function streamTogether(together: Together): Promise<RowStream | null> {
  const { lead, source, parallelism } = together;
  const pages = await pagesOf(lead, source, parallelism);
  const snapshot = pages === null ? null : await exported(lead, source, parallelism);
  if (pages === null || !snapshot) return null;
  const { rangePages, mostSessions } = parallelism;
  const readers = new Readers({ ...together, snapshot, ranges: rangesOf(pages, rangePages) });
  return {
    columns: columnsOf(source),
    chunks: readers.chunks(Math.min(mostSessions, Math.ceil(pages / rangePages))),
  };
}

/** The pages of a table that is large enough. */
async function pagesOf(
  lead: Session,
  { table, parameters }: Source,
  { leastBytes, rangePages }: Parallelism,
): Promise<number | null> {
  if (table?.kind !== "r" || parameters.length > 0) return null;
  const { rows } = await lead.ask(
    "select pg_catalog.pg_relation_size($1::oid), current_setting('block_size')",
    [table.oid],
  );
  const bytes = Number(rows[0]?.[0]);
  const pages = Math.ceil(bytes / Number(rows[0]?.[1]));
  return bytes >= leastBytes && pages > rangePages ? pages : null;
}

/**
 * Exports the lead's snapshot, if ranges of the source are worth it. Where the server cannot or will not (a standby, a role without the right), the lead's transaction is
 * begun anew.
 */
async function exported(
  lead: Session,
  source: Source,
  { rangePages }: Parallelism,
): Promise<Snapshot | null> {
  try {
    if (!(await isWorthIt(lead, source, rangePages))) return null;
    await lead.query(stayOpen);
    const { rows } = await lead.ask(
      "select pg_catalog.pg_export_snapshot(), pg_catalog.pg_postmaster_start_time()",
    );
    const [id, server] = rows[0] ?? [];
    return id && server ? { id, server } : null;
  } catch (error) {
    if (!(error instanceof PostgresError) || lead.isClosed) throw error;
    await lead.query(`rollback; ${beginReading}`);
    return null;
  }
}

/**
 * Whether the server would read all pages for the source, and only a range's for a range: not where an index serves the cursor, not where a table has others below it, not
 * before PostgreSQL 14.
 */
async function isWorthIt(lead: Session, source: Source, rangePages: number): Promise<boolean> {
  const [range] = rangesOf(2 * rangePages, rangePages);
  return (
    (await scanOf(lead, selectOf(source))) === "Seq Scan" &&
    (await scanOf(lead, selectOf(source, range))) === "Tid Range Scan"
  );
}

interface Plan {
  "Node Type": string;
  Plans?: Plan[];
}

/** How the server would read a table. */
async function scanOf(lead: Session, select: string): Promise<string | undefined> {
  const { rows } = await lead.query(`explain (format json) ${select}`);
  let plan = (JSON.parse(rows[0]?.[0] ?? "[]") as { Plan: Plan }[])[0]?.Plan;
  while (plan?.["Node Type"].startsWith("Gather")) plan = plan.Plans?.[0];
  return plan?.["Node Type"];
}
