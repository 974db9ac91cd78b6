/** One DuckDB for one run: in memory, spilling into the run's directory, closed to everything else before any user's SQL is seen. */
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBResult, DuckDBValue } from "@duckdb/node-api";
import { duckDbError } from "./duckdb-error.ts";
import { loadDuckDb } from "./load.ts";

export interface DatabaseOptions {
  /** Where the executable unpacks DuckDB's files. */
  dataDirectory: string;
  /** The run's own directory, which exists: the only one that SQL may read and write. */
  directory: string;
  /** Other files, by their real paths, that our own SQL reads and writes; none where a user's SQL runs that `singleSelect` has not seen. */
  files?: readonly string[] | undefined;
  /** Bytes; beyond it DuckDB spills into `directory`. 256 MB when not given. */
  memoryLimit?: number | undefined;
  /** Two when not given. */
  threads?: number | undefined;
}

/** Values for `$1`, `$2`… or for `$name`. */
export type Parameters =
  | readonly (string | number | boolean | null)[]
  | Readonly<Record<string, string | number | boolean | null>>;

/** While a query is being cancelled it is told so at these intervals (ms): DuckDB forgets an interrupt that came before the query began. */
const interruptEvery = 20;

/** Quotes text as SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Quotes a name as SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** An open DuckDB. All its calls fail with the signal's reason within moments of the signal, else with DuckDbError. */
export class Database {
  readonly directory: string;
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal;
  readonly #close: () => void;

  constructor(directory: string, connection: DuckDBConnection, signal: AbortSignal, close: () => void) {
    this.directory = directory;
    this.#connection = connection;
    this.#signal = signal;
    this.#close = close;
  }

  /** Runs statements to their end. */
  async run(sql: string, parameters: Parameters = []): Promise<void> {
    await this.#guarded(async () => {
      if (isEmpty(parameters)) await this.#connection.run(sql);
      else await this.#withPrepared(sql, parameters, (statement) => statement.run());
    });
  }

  /** The first column of the first row, as text. */
  async ask(sql: string, parameters: Parameters = []): Promise<string | null> {
    const result = await this.query(sql, parameters);
    const chunk = await this.next(result);
    const value = chunk?.getColumnVector(0).getItem(0) ?? null;
    return value === null ? null : String(value);
  }

  /** Starts a query whose rows are then fetched with `next`, piece by piece; the next statement ends it. */
  async query(sql: string, parameters: Parameters = []): Promise<DuckDBResult> {
    return await this.#guarded(() => this.#withPrepared(sql, parameters, (statement) => statement.stream()));
  }

  /** The next rows of a query, null after the last. */
  async next(result: DuckDBResult) {
    const chunk = await this.#guarded(() => result.fetchChunk());
    return chunk && chunk.rowCount > 0 ? chunk : null;
  }

  /** How many statements there are. Throws DuckDbError when they cannot be parsed; nothing is looked up. */
  async countStatements(sql: string): Promise<number> {
    return await this.#guarded(async () => (await this.#connection.extractStatements(sql)).count);
  }

  /** Throws DuckDbError, with the place in the text, when a statement names what is not there or does not fit. */
  async check(sql: string): Promise<void> {
    await this.#guarded(async () => (await this.#connection.prepare(sql)).destroySync());
  }

  /** Frees memory and files. Safe to call twice. */
  close(): void {
    this.#close();
  }

  /** A statement holds the buffers of the files that it names: it goes at once, its result needs it no more. */
  async #withPrepared<T>(
    sql: string,
    parameters: Parameters,
    execute: (statement: DuckDBPreparedStatement) => Promise<T>,
  ): Promise<T> {
    const statement = await this.#connection.prepare(sql);
    try {
      if (!isEmpty(parameters)) statement.bind(bindable(parameters));
      return await execute(statement);
    } finally {
      statement.destroySync();
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const signal = this.#signal;
    signal.throwIfAborted();
    let timer: ReturnType<typeof setInterval> | undefined;
    const interrupt = () => {
      this.#connection.interrupt();
      timer = setInterval(() => this.#connection.interrupt(), interruptEvery);
    };
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      const done = await work();
      // An interrupted result ends as if it were complete.
      signal.throwIfAborted();
      return done;
    } catch (error) {
      signal.throwIfAborted();
      throw duckDbError(error);
    } finally {
      signal.removeEventListener("abort", interrupt);
      clearInterval(timer);
    }
  }
}

/** Opens a database that ends its work when the signal is aborted. Throws DuckDbUnavailable. */
export async function openDatabase(
  { dataDirectory, directory: given, files = [], memoryLimit = 256e6, threads = 2 }: DatabaseOptions,
  signal: AbortSignal,
): Promise<Database> {
  const { DuckDBInstance } = await loadDuckDb(dataDirectory);
  signal.throwIfAborted();
  // DuckDB follows links before it asks whether a path is allowed.
  const directory = realpathSync(given);
  const spill = join(directory, "spill");
  mkdirSync(spill, { recursive: true, mode: 0o700 });
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(threads),
    memory_limit: `${Math.ceil(memoryLimit / 1e6)}MB`,
    temp_directory: spill,
  });
  const connection = await instance.connect();
  let open = true;
  const database = new Database(directory, connection, signal, () => {
    if (!open) return;
    open = false;
    connection.closeSync();
    instance.closeSync();
    // Results that were not read to their end hold memory and deleted files until they are collected.
    Bun.gc(false);
  });
  try {
    await connection.run(`
      SET TimeZone = 'UTC';
      SET autoinstall_known_extensions = false;
      SET autoload_known_extensions = false;
      SET allowed_directories = [${literal(`${directory}/`)}];
      SET allowed_paths = [${files.map(literal).join(", ")}];
      SET enable_external_access = false;
      SET lock_configuration = true`);
  } catch (error) {
    database.close();
    throw duckDbError(error);
  }
  return database;
}

const isEmpty = (parameters: Parameters): boolean => Object.keys(parameters).length === 0;

/** Whole numbers are bound as such: else DuckDB would compare, and divide, in floating point. */
function bindable(parameters: Parameters): DuckDBValue[] | Record<string, DuckDBValue> {
  const value = (given: string | number | boolean | null): DuckDBValue =>
    Number.isSafeInteger(given) ? BigInt(given as number) : given;
  if (Array.isArray(parameters)) return parameters.map(value);
  return Object.fromEntries(Object.entries(parameters).map(([name, given]) => [name, value(given)]));
}
