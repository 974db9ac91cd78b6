/** What a pipeline needs of a system: one file a system implements it, one line in `registry.ts` makes it known. */
import type { RowStream, TableSchema } from "./types.ts";

/** Where a system is and who we are there; `config` and `credentials` of the document, as they came. */
export interface ConnectorOptions {
  config: Record<string, unknown>;
  credentials: Record<string, unknown>;
}

/** What to read: a table or a query, and of it only what lies between two values of a cursor's column. */
export interface ReadRequest {
  table?: string | undefined;
  /** A single SELECT; `$1`, `$2`… stand for `parameters`. */
  query?: string | undefined;
  parameters?: readonly (string | number | boolean | null)[] | undefined;
  cursor?: { column: string; after: string | null; upTo: string } | undefined;
}

export type WriteMode = "append" | "replace" | "merge";

/** Where rows go, and how. */
export interface WriteRequest {
  table: string;
  mode: WriteMode;
  /** Columns that name a row; for `merge`. */
  key: readonly string[];
  onSchemaChange: "fail" | "add_columns";
}

/** Rows that lie beside their table, seen by nobody, until they are published or thrown away. */
export interface Staged {
  /** The name of the staging table, quoted as SQL. */
  table: string;
  rows: number;
  /** Asks about the staged rows, in the system's own SQL; the first row's first column, as text. */
  ask(sql: string): Promise<string | null>;
  /** Puts them into the table in one step; repeated after a crash it does nothing more than the first time. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/** One system, connected to for one purpose. Whatever it cannot do it throws as a `ConnectorError`. Every call ends within moments of `signal`. */
export interface Connector {
  /** Connects, logs in, asks something. Answers how far it got. */
  test(signal: AbortSignal): Promise<TestResult>;
  /** `schema.table` or `table`. Throws `ConnectorError` with code `notFound`. */
  schema(table: string, signal: AbortSignal): Promise<TableSchema>;
  /** The largest value of a column just now, as text; null when there are no rows. */
  latest?(request: ReadRequest, column: string, signal: AbortSignal): Promise<string | null>;
  read(request: ReadRequest, signal: AbortSignal): Promise<RowStream>;
  /** Writes rows into a staging table beside the target. `runId` makes its name, so that a repeated run finds and replaces what the last one left. */
  stage?(request: WriteRequest, rows: RowStream, runId: string, signal: AbortSignal): Promise<Staged>;
  close(): Promise<void>;
}

export interface TestResult {
  connectionEstablished: boolean;
  authenticationSuccessful: boolean;
  queryExecutionSuccessful: boolean;
  /** Milliseconds of one query and its answer. */
  latency: number | null;
  /** What went wrong, without names of users and without passwords. */
  error: string | null;
}

/** Columns whose names both sides know, in the order of the rows. */
export const namesOf = (columns: readonly { name: string }[]): string[] => columns.map(({ name }) => name);

/** A fault of another system, in words that may be shown: no passwords, no connection strings. */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  readonly code: "unreachable" | "authentication" | "notFound" | "refused" | "schema" | "unsupported";

  constructor(code: ConnectorError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
