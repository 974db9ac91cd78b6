/**
 * The partitions of the logs: one a day (UTC), made ahead; what is older than the first day lies in one of its own. A day that is over gets the index
 * that finds words in messages, which would slow ingestion; a day beyond the retention is dropped whole.
 */
import type { Sql } from "postgres";
import type { Queries } from "../../platform/database/connect.ts";
import type { Log } from "../../platform/telemetry/log.ts";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";

const dayMilliseconds = 86_400_000;
const daysAhead = 3;
/** Days without a server that are made up for: whoever kept logs meanwhile sends them late. */
const mostDaysBehind = 400;
/** Any number: who holds this advisory lock changes partitions. */
const partitionLock = 5_111_900_822;

const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);
const nameOf = (day: string): string => `logs_${day.replaceAll("-", "")}`;
const namePattern = /^logs_(\d{4})(\d\d)(\d\d)$/;

export interface PartitionsOptions {
  sql: Sql;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
  /** Days that logs are kept at most; 0: for ever. */
  retentionDays: number;
}

export class Partitions {
  private readonly options: PartitionsOptions;

  constructor(options: PartitionsOptions) {
    this.options = options;
  }

  /** Makes what is missing up to a few days ahead. Safe at any time, by any number of instances. */
  async ensure(): Promise<void> {
    const { sql } = this.options;
    const present = new Set(await this.names());
    const days = this.daysFrom(present);
    if (present.size > 0 && days.every((day) => present.has(nameOf(dayOf(day))))) return;
    await sql.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(${partitionLock})`;
      const first = await this.firstDay(tx, dayOf(days[0] ?? this.options.now()));
      for (const time of days) if (dayOf(time) >= first) await makeDay(tx, time);
    });
  }

  /** Indexes days that are over and drops those beyond the retention. */
  async tend(): Promise<void> {
    await this.ensure();
    const today = dayOf(this.options.now());
    for (const name of await this.names()) {
      const day = dayOfName(name);
      if (day !== null && day >= today) continue;
      if (day !== null && this.isBeyondRetention(day)) await this.drop(name);
      else await this.indexMessages(name);
    }
    await this.trimOldest();
  }

  /** The oldest time that is taken, in milliseconds. */
  oldest(): number {
    const { retentionDays, now } = this.options;
    return retentionDays === 0 ? Number.NEGATIVE_INFINITY : now() - retentionDays * dayMilliseconds;
  }

  /** Days that need a partition: from the last one that has it, or yesterday, to a few ahead. */
  private daysFrom(present: ReadonlySet<string>): number[] {
    const yesterday = this.options.now() - dayMilliseconds;
    const [newest] = [...present]
      .flatMap((name) => dayOfName(name) ?? [])
      .toSorted()
      .reverse();
    const last = newest === undefined ? yesterday : Date.parse(newest);
    const earliest = Math.max(this.oldest(), yesterday - mostDaysBehind * dayMilliseconds);
    const from = Math.max(Math.min(last, yesterday), earliest);
    const to = this.options.now() + daysAhead * dayMilliseconds;
    const days: number[] = [];
    for (let time = from; dayOf(time) <= dayOf(to); time += dayMilliseconds) days.push(time);
    return days;
  }

  private isBeyondRetention(day: string): boolean {
    return Date.parse(day) + dayMilliseconds <= this.oldest();
  }

  private async names(): Promise<string[]> {
    const rows = await this.options.sql`select c.relname as name from pg_inherits
      join pg_class c on c.oid = inhrelid where inhparent = 'logger.logs'::regclass order by 1`;
    return rows.map((row) => String(row.name));
  }

  /** The first day that has a partition of its own; the first time this is asked, `candidate` becomes it. */
  private async firstDay(tx: Queries, candidate: string): Promise<string> {
    const [row] = await tx`select pg_get_expr(relpartbound, oid) as bound from pg_class
      where oid = to_regclass('logger.logs_older')`;
    const known = /TO \('(\d{4}-\d\d-\d\d)/.exec(String(row?.bound ?? ""))?.[1];
    if (known) return known;
    await tx.unsafe(
      `create table logger.logs_older partition of logger.logs for values from (minvalue) to ('${candidate} 00:00:00+00')`,
    );
    return candidate;
  }

  private async drop(name: string): Promise<void> {
    await this.options.sql.unsafe(`drop table if exists logger.${name}`);
    this.options.log.info({ partition: name }, "logs beyond the retention were dropped");
  }

  /** Removes rows beyond the retention from the partition of old days, a few thousand at a time. */
  private async trimOldest(): Promise<void> {
    const oldest = this.oldest();
    if (!Number.isFinite(oldest)) return;
    for (let gone = 1; gone > 0; ) {
      const result = await this.options.sql`delete from logger.logs_older where ctid = any(array(
        select ctid from logger.logs_older where at < ${new Date(oldest)} limit 5000))`;
      gone = result.count;
    }
  }

  /** Built without a lock that would keep late logs out. Without the extension pg_trgm words are looked for row by row. */
  private async indexMessages(name: string): Promise<void> {
    const { sql, log } = this.options;
    const index = `${name}_words`;
    const [found] =
      await sql`select indisvalid as valid from pg_index where indexrelid = to_regclass(${`logger.${index}`})`;
    if (found?.valid) return;
    try {
      await sql`create extension if not exists pg_trgm`;
      if (found) await sql.unsafe(`drop index if exists logger.${index}`);
      await sql.unsafe(
        `create index concurrently if not exists ${index} on logger.${name} using gin (message gin_trgm_ops)`,
      );
    } catch (error) {
      log.warn({ partition: name, reason: reasonOf(error) }, "the index of words could not be built");
    }
  }
}

function dayOfName(name: string): string | null {
  const parts = namePattern.exec(name);
  return parts ? parts.slice(1).join("-") : null;
}

async function makeDay(tx: Queries, time: number): Promise<void> {
  const [day, next] = [dayOf(time), dayOf(time + dayMilliseconds)];
  await tx.unsafe(`create table if not exists logger.${nameOf(day)} partition of logger.logs
    for values from ('${day} 00:00:00+00') to ('${next} 00:00:00+00')`);
}
