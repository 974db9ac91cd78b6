/** PostgreSQL (12 or newer) as a source and a target of pipelines. */
import type {
  Connector,
  ConnectorOptions,
  ReadRequest,
  Staged,
  TestResult,
  WriteRequest,
} from "../connector.ts";
import type { RowStream, TableSchema } from "../types.ts";
import { readSchema } from "./catalogue.ts";
import { asConnectorError, translated } from "./errors.ts";
import { parseTable, quoteIdentifier } from "./identifiers.ts";
import type { Progress } from "./login.ts";
import { type PostgresqlOptions, readOptions } from "./options.ts";
import { largeTables, type Parallelism, streamTogether } from "./parallel-read.ts";
import { largest, openSource, streamOf } from "./read.ts";
import { Session } from "./wire.ts";
import { stageRows } from "./write.ts";

/** Each call has a session of its own, which ends with it: a stream's with the stream, a staging's with its publication. Large tables are read by several. */
export class PostgresqlConnector implements Connector {
  private readonly options: PostgresqlOptions;
  private readonly parallelism: Parallelism;
  private readonly sessions = new Set<Session>();

  /** Throws `ConnectorError` with code `refused` for options that are missing or not valid. */
  constructor(options: ConnectorOptions, parallelism: Parallelism = largeTables) {
    this.options = readOptions(options);
    this.parallelism = parallelism;
  }

  async test(signal: AbortSignal): Promise<TestResult> {
    const progress: Progress = { isConnected: false, isLoggedIn: false };
    let latency: number | null = null;
    let error: string | null = null;
    try {
      await this.during(
        signal,
        async (session) => {
          const start = performance.now();
          await session.ask("select 1");
          latency = Math.round((performance.now() - start) * 100) / 100;
        },
        progress,
      );
    } catch (thrown) {
      signal.throwIfAborted();
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    return {
      connectionEstablished: progress.isConnected,
      authenticationSuccessful: progress.isLoggedIn,
      queryExecutionSuccessful: latency !== null,
      latency,
      error,
    };
  }

  async schema(table: string, signal: AbortSignal): Promise<TableSchema> {
    const name = parseTable(table, this.options.schema);
    return await this.during(signal, (session) => readSchema(session, name));
  }

  async latest(request: ReadRequest, column: string, signal: AbortSignal): Promise<string | null> {
    return await this.during(signal, async (session) =>
      largest(session, await openSource(session, this.completed(request), this.options.schema), column),
    );
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<RowStream> {
    return await translated(async () => {
      const session = await this.open(signal);
      try {
        const source = await openSource(session, this.completed(request), this.options.schema);
        const { parallelism } = this;
        const together = await streamTogether({
          lead: session,
          source,
          parallelism,
          signal,
          open: (own) => this.open(own),
        });
        const { columns, chunks } = together ?? streamOf(session, source);
        return { columns, chunks: this.followed(chunks) };
      } catch (error) {
        await this.end(session);
        throw error;
      }
    });
  }

  async stage(request: WriteRequest, rows: RowStream, runId: string, signal: AbortSignal): Promise<Staged> {
    const open = (own?: AbortSignal) => this.open(own ?? signal);
    return await translated(() =>
      stageRows({ request, rows, runId, defaultSchema: this.options.schema, open }),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.sessions].map((session) => this.end(session)));
  }

  private completed(request: ReadRequest): ReadRequest {
    const { table } = this.options;
    return request.table === undefined && request.query === undefined && table !== null
      ? { ...request, table }
      : request;
  }

  private async open(signal: AbortSignal, progress?: Progress): Promise<Session> {
    const session = await Session.open(this.options.session, signal, progress);
    this.forgetClosed();
    this.sessions.add(session);
    const { schema } = this.options;
    const path = schema === null ? "" : `${quoteIdentifier(schema)}, public`;
    // What the common form needs beyond the startup's settings; there, a pooler would refuse them.
    await session.ask(
      `select set_config('bytea_output', 'hex', false),
        set_config('search_path', coalesce(nullif($1, ''), current_setting('search_path')), false)`,
      [path],
    );
    return session;
  }

  private async during<T>(
    signal: AbortSignal,
    work: (session: Session) => Promise<T>,
    progress?: Progress,
  ): Promise<T> {
    return await translated(async () => {
      const session = await this.open(signal, progress);
      try {
        return await work(session);
      } finally {
        await this.end(session);
      }
    });
  }

  private async *followed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } catch (error) {
      throw asConnectorError(error);
    } finally {
      this.forgetClosed();
    }
  }

  private forgetClosed(): void {
    for (const each of this.sessions) if (each.isClosed) this.sessions.delete(each);
  }

  private async end(session: Session): Promise<void> {
    this.sessions.delete(session);
    await session.close();
  }
}
