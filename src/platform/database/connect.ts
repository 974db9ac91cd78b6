/** Connections to PostgreSQL: the embedded one by its socket, or the one that `DATABASE_URL` names. */
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres, { type Options, type Sql } from "postgres";
import { unavailable } from "../http/failures.ts";
import { reasonOf, StartupError } from "../telemetry/startup-error.ts";

/** Oldest server that works, as `server_version_num` counts. */
const oldestVersion = 140_000;

export interface Database {
  /** Drizzle's query builder over a client of its own: `drizzle()` changes a client's parsers. */
  orm: PostgresJsDatabase;
  /** postgres.js itself, for what the builder does not say well, and for LISTEN. */
  sql: Sql;
  close(): Promise<void>;
}

/** A client or one of its transactions. */
export type Queries = postgres.ISql;

/** Where a database is: connection options of postgres.js. */
export type DatabaseAddress = Options<Record<string, never>> & { url?: string };

const role = "quintet";

/** The address of the embedded database. */
export const embeddedAddress = (socketDirectory: string): DatabaseAddress => ({
  host: socketDirectory,
  user: role,
  database: role,
});

function connectTo(address: DatabaseAddress, options: Options<Record<string, never>>): Sql {
  const { url, ...rest } = address;
  const all = { onnotice: () => {}, connect_timeout: 5, ...rest, ...options };
  return url === undefined ? postgres(all) : postgres(url, all);
}

/** One connection for one task (migrations, bootstrapping), closed when the task is over. */
export async function withConnection<T>(
  address: DatabaseAddress,
  task: (sql: Sql) => Promise<T>,
): Promise<T> {
  const sql = connectTo(address, { max: 1 });
  try {
    return await task(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Makes the role and the database of a new embedded cluster: an ordinary owner, not the superuser that initdb made. */
export async function bootstrapEmbedded(socketDirectory: string): Promise<void> {
  const superuser: DatabaseAddress = { host: socketDirectory, user: "postgres", database: "postgres" };
  await withConnection(superuser, async (sql) => {
    const [found] = await sql`select
      exists (select from pg_roles where rolname = ${role}) as role,
      exists (select from pg_database where datname = ${role}) as database`;
    if (!found?.role) await sql`create role ${sql(role)} login`;
    if (!found?.database) await sql`create database ${sql(role)} owner ${sql(role)}`;
  });
}

/** Checks that an external database answers and is new enough. Throws StartupError with one line that says what is wrong. */
export async function checkExternal(address: DatabaseAddress): Promise<void> {
  try {
    const [row] = await withConnection(
      address,
      (sql) =>
        sql`select current_setting('server_version_num')::int as number, current_setting('server_version') as text`,
    );
    if (Number(row?.number) < oldestVersion)
      throw new StartupError(`DATABASE_URL: PostgreSQL ${row?.text} is too old, 14 or newer is needed`);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`DATABASE_URL: cannot connect: ${reasonOf(error)}`);
  }
}

/** Opens the pools that the server works with; nothing is connected before the first query. */
export function openDatabase(address: DatabaseAddress, connections: number): Database {
  const sql = connectTo(address, { max: connections });
  const builder = connectTo(address, { max: connections });
  return {
    sql,
    orm: drizzle(builder),
    async close() {
      // Whoever used them has stopped: what still hangs is a connection that was lost.
      await Promise.all([sql.end({ timeout: 1 }), builder.end({ timeout: 1 })]);
    },
  };
}

const connectionCodes = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "57P01",
  "57P02",
  "57P03",
  "53300",
]);

/** `unavailable` when the error (or what Drizzle wrapped) says that the database is away for now; else null. */
export function databaseAway(error: unknown): ReturnType<typeof unavailable> | null {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = "code" in at ? String(at.code) : "";
    const fromServer =
      at instanceof postgres.PostgresError || "query" in at || "address" in at || "errno" in at;
    if (connectionCodes.has(code) && fromServer)
      return unavailable("Service temporarily unavailable", { retryAfter: 1, cause: error });
  }
  return null;
}
