/** Numbers about the whole: chapter 7.3 of the document. */
import type { Sql } from "postgres";

export interface StatsOptions {
  sql: Sql;
  /** Milliseconds that the server has been running. */
  uptime: number;
  /** Users who are online, on all servers. */
  online: number;
  /** Open connections to this server. */
  connections: number;
  /** Now, in milliseconds. */
  now: number;
}

const mebibyte = 1024 * 1024;

/** `5d 3h 15m` */
export function durationOf(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  return `${Math.floor(minutes / 1440)}d ${Math.floor(minutes / 60) % 24}h ${minutes % 60}m`;
}

/** The beginning of a day, as the server's clock on the wall has it. */
function midnight(now: number): Date {
  const day = new Date(now);
  day.setHours(0, 0, 0, 0);
  return day;
}

export async function statsOf({ sql, uptime, online, connections, now }: StatsOptions) {
  const today = midnight(now);
  const [[users], [messages], [system]] = await Promise.all([
    sql`select count(*)::int as total, (count(*) filter (where role = 'admin'))::int as admins,
        (count(*) filter (where created_at >= ${today}))::int as today
      from identity.accounts where deleted_at is null and is_active`,
    sql`select count(*)::float8 as total, (count(*) filter (where at >= ${today}))::float8 as today,
        (count(*) filter (where type = 'text'))::float8 as text, (count(*) filter (where type = 'image'))::float8 as images
      from messenger.messages where deleted_at is null`,
    sql`select pg_database_size(current_database())::float8 as bytes`,
  ]);
  return {
    users: { total: users?.total, online, admins: users?.admins, new_today: users?.today },
    messages: {
      total: messages?.total,
      today: messages?.today,
      text: messages?.text,
      images: messages?.images,
    },
    system: {
      uptime: durationOf(uptime),
      disk_usage_mb: Math.round((Number(system?.bytes) / mebibyte) * 10) / 10,
      active_connections: connections,
    },
  };
}
