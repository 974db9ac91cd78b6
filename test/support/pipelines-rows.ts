/** A PostgreSQL that pipelines move rows in: a database of their own, and one for servers that share it. */
import { SQL } from "bun";
import { startPostgres } from "./postgres.ts";

export interface Rows {
  /** `DATABASE_URL` of servers. */
  serversUrl: string;
  /** What the servers keep. */
  servers: SQL;
  /** What pipelines move. */
  sql: SQL;
  /** A source or target in place, with its password. */
  endpoint(config: Record<string, unknown>): object;
  /** How many rows a table has. */
  count(table: string): Promise<number>;
  /** Tables that runs left behind. */
  leftovers(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts it; there is nothing in it. */
export async function startRows(): Promise<Rows> {
  const database = await startPostgres();
  const servers = new SQL({ url: database.url, max: 2 });
  await servers`create database rows`;
  const url = new URL(database.url);
  const { hostname, port, username, password } = url;
  url.pathname = "/rows";
  const sql = new SQL({ url: String(url), max: 2 });
  return {
    serversUrl: database.url,
    servers,
    sql,
    endpoint: (config) => ({
      type: "postgresql",
      config: {
        host: hostname,
        port: Number(port),
        database: "rows",
        ssl_mode: "disable",
        username,
        password: decodeURIComponent(password),
        ...config,
      },
    }),
    count: async (table) => Number((await sql.unsafe(`select count(*) as count from ${table}`))[0].count),
    async leftovers() {
      const tables = await sql`select tablename from pg_tables where tablename like 'quintet_stage%'`;
      return tables.map(({ tablename }: { tablename: string }) => tablename);
    },
    async stop() {
      await Promise.all([servers.close(), sql.close()]);
      await database.stop();
    },
  };
}
