/** A PostgreSQL for these tests, a connector to it, and rows that are made here. */
import type {
  Connector,
  ReadRequest,
  WriteRequest,
} from "../../../src/services/pipelines/connect/connector.ts";
import { PostgresqlConnector } from "../../../src/services/pipelines/connect/postgresql/connector.ts";
import type { SessionOptions } from "../../../src/services/pipelines/connect/postgresql/login.ts";
import type { Parallelism } from "../../../src/services/pipelines/connect/postgresql/parallel-read.ts";
import { Session } from "../../../src/services/pipelines/connect/postgresql/wire.ts";
import type { Column, RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { startPostgres } from "../../support/postgres.ts";

export interface Server {
  options: SessionOptions;
  /** A session of the owner. */
  admin: Session;
  connector(
    config?: Record<string, unknown>,
    credentials?: Record<string, unknown>,
    parallelism?: Parallelism,
  ): PostgresqlConnector;
  /** The first row's first column. */
  one(sql: string): Promise<string | null>;
  stop(): Promise<void>;
}

export const never = () => new AbortController().signal;

export async function startServer(): Promise<Server> {
  const postgres = await startPostgres();
  const { hostname, port, username, password, pathname } = new URL(postgres.url);
  const options: SessionOptions = {
    host: hostname,
    port: Number(port),
    database: pathname.slice(1),
    user: username,
    password: decodeURIComponent(password),
    sslMode: "disable",
    rootCertificate: null,
  };
  const admin = await Session.open(options, never());
  const connectors: PostgresqlConnector[] = [];
  return {
    options,
    admin,
    connector(config = {}, credentials = {}, parallelism) {
      const { host, port, database, user, password } = options;
      const connector = new PostgresqlConnector(
        {
          config: { host, port, database, ssl_mode: "disable", ...config },
          credentials: { username: user, password, ...credentials },
        },
        parallelism,
      );
      connectors.push(connector);
      return connector;
    },
    one: async (sql) => (await admin.query(sql)).rows[0]?.[0] ?? null,
    async stop() {
      for (const connector of connectors) await connector.close();
      await admin.close();
      await postgres.stop();
    },
  };
}

/** All that a stream gives. */
export async function drain({ chunks }: RowStream): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

export const read = async (connector: Connector, request: ReadRequest) =>
  drain(await connector.read(request, never()));

/** A stream of rows in the common form. */
export function rowsOf(columns: Column[], text: string): RowStream {
  return {
    columns,
    chunks: (async function* () {
      yield Buffer.from(text);
    })(),
  };
}

export const column = (name: string, kind: "int32" | "text" | "int64", nullable = true): Column => ({
  name,
  type: { kind },
  nullable,
});

export const write = (table: string, more: Partial<WriteRequest> = {}): WriteRequest => ({
  table,
  mode: "append",
  key: [],
  onSchemaChange: "fail",
  ...more,
});

/** Waits until `isSo`; fails after `milliseconds`. */
export async function within(milliseconds: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not so after ${milliseconds} ms`);
    await Bun.sleep(10);
  }
}
