/** What is known of a service's past: uptime over a day, a week and a month, stretches of five minutes, changes of state. */
import type { Sql } from "postgres";

const bucketSeconds = 300;
const periods = { "24h": 1, "7d": 7, "30d": 30 } as const;
/** Older stretches are forgotten. */
const keptDays = 31;

/** `uptime`: share of the checks that succeeded, in percent; null where nothing is known. `coverage`: share of the time that is known, in percent. */
export interface Uptime {
  uptime: number | null;
  coverage: number;
  averageResponseTimeMs: number | null;
}

const percent = (part: number, whole: number): number => Math.round((part / whole) * 10_000) / 100;

export class PingHistory {
  private readonly sql: Sql;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  /** Uptime by period. Time before the service existed, and gaps, count neither way. */
  async uptime(serviceId: number): Promise<Record<keyof typeof periods, Uptime>> {
    const entries = await Promise.all(
      Object.entries(periods).map(
        async ([name, days]) => [name, await this.uptimeOver(serviceId, days)] as const,
      ),
    );
    return Object.fromEntries(entries) as Record<keyof typeof periods, Uptime>;
  }

  /** Stretches of five minutes of the last day, those in which nothing is known included, and the latest changes of state. */
  async recent(serviceId: number) {
    const rows = await this.sql`select g.start, ok, degraded, down, unknown, total_ms, most_ms
      from generate_series(
        date_bin('5 minutes', now() - interval '24 hours', '2000-01-01') + interval '5 minutes',
        date_bin('5 minutes', now(), '2000-01-01'), interval '5 minutes') as g(start)
      left join logger.ping_buckets b on b.service_id = ${serviceId} and b.start = g.start
      order by 1`;
    const events = await this.sql`select at, status, error from logger.ping_events
      where service_id = ${serviceId} order by at desc limit 100`;
    return {
      history: rows.map((row) => bucketView(row)),
      events: events.map(({ at, status, error }) => ({
        at: (at as Date).toISOString(),
        status: String(status),
        error: error === null ? null : String(error),
      })),
    };
  }

  /** Forgets what is older than any period asks for. */
  async trim(): Promise<void> {
    await this.sql`delete from logger.ping_buckets where start < now() - make_interval(days => ${keptDays})`;
    await this.sql`delete from logger.ping_events where at < now() - interval '1 year'`;
  }

  private async uptimeOver(serviceId: number, days: number): Promise<Uptime> {
    const [row] = await this
      .sql`select coalesce(sum(ok + degraded), 0)::int as up, coalesce(sum(down), 0)::int as down,
        count(*) filter (where ok + degraded + down > 0)::int as known, coalesce(sum(total_ms), 0)::float8 as total,
        coalesce(sum(ok + degraded + down + unknown), 0)::int as checks,
        greatest(1, extract(epoch from least(now() - s.created_at, make_interval(days => ${days}))))::float8 as seconds
      from logger.ping_services s left join logger.ping_buckets b
        on b.service_id = s.id and b.start > now() - make_interval(days => ${days})
      where s.id = ${serviceId} group by s.created_at`;
    const {
      up = 0,
      down = 0,
      known = 0,
      total = 0,
      checks = 0,
      seconds = 1,
    } = (row ?? {}) as Record<string, number>;
    const checked = up + down;
    return {
      uptime: checked === 0 ? null : percent(up, checked),
      coverage: Math.min(100, percent(known * bucketSeconds, Math.max(seconds, bucketSeconds))),
      averageResponseTimeMs: checks === 0 ? null : Math.round(total / checks),
    };
  }
}

function bucketView({ start, ok, degraded, down, unknown, total_ms, most_ms }: Record<string, unknown>) {
  const checks = Number(ok ?? 0) + Number(degraded ?? 0) + Number(down ?? 0) + Number(unknown ?? 0);
  const status =
    Number(down) > 0 ? "down" : Number(degraded) > 0 ? "degraded" : Number(ok) > 0 ? "ok" : "unknown";
  return {
    start: (start as Date).toISOString(),
    status,
    checks,
    averageResponseTimeMs: checks === 0 ? null : Math.round(Number(total_ms) / checks),
    maxResponseTimeMs: checks === 0 ? null : Number(most_ms),
  };
}
