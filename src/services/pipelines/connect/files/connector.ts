/** Local files as tables: CSV, TSV, JSON, NDJSON and Parquet, read and written by DuckDB. */

import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Database, identifier, literal, openDatabase } from "../../run/duckdb/database.ts";
import { DuckDbError } from "../../run/duckdb/duckdb-error.ts";
import { readRows } from "../../run/duckdb/read-rows.ts";
import { workDirectory } from "../../work-directory.ts";
import {
  type Connector,
  ConnectorError,
  type ConnectorOptions,
  type ReadRequest,
  type Staged,
  type TestResult,
  type WriteRequest,
} from "../connector.ts";
import type { RowStream, TableSchema } from "../types.ts";
import { type FileFormat, formatOf, realRoots, resolveFile } from "./paths.ts";
import { type FileSource, fileSource } from "./source.ts";
import { stageFile, temporaryOf } from "./stage.ts";

export interface FilesOptions {
  /** Directories whose files may be used; links and `..` never lead out of them. */
  roots: readonly string[];
  /** Where DuckDB is unpacked and where it keeps what does not fit into memory. */
  dataDirectory: string;
}

/** Rows only pass through. A second thread would fill buffers of its own, and with more memory DuckDB keeps parts of the file that it has read; neither makes it faster. */
const reading = { memoryLimit: 160e6, threads: 1 };

/** `config` of the document: `path` (or `file`) of a file, or of a directory that names of tables are relative to; `format`; `options` of CSV. */
export class FilesConnector implements Connector {
  readonly #config: Record<string, unknown>;
  readonly #roots: string[];
  readonly #dataDirectory: string;
  readonly #work: string;
  #opened = 0;

  constructor({ roots, dataDirectory }: FilesOptions, { config }: ConnectorOptions) {
    this.#config = config;
    this.#roots = realRoots(roots);
    this.#dataDirectory = dataDirectory;
    this.#work = workDirectory(dataDirectory, `files-${randomUUID()}`);
  }

  async test(signal: AbortSignal): Promise<TestResult> {
    const result: TestResult = {
      connectionEstablished: false,
      authenticationSuccessful: true,
      queryExecutionSuccessful: false,
      latency: null,
      error: null,
    };
    try {
      const start = performance.now();
      const { path, format } = this.#file(undefined);
      result.connectionEstablished = true;
      await this.#withFile({ path, format }, signal, (database, { sql }) =>
        database.ask(`SELECT 1 FROM ${sql} LIMIT 1`),
      );
      return { ...result, queryExecutionSuccessful: true, latency: performance.now() - start };
    } catch (error) {
      signal.throwIfAborted();
      return { ...result, error: error instanceof Error ? error.message : String(error) };
    }
  }

  async schema(table: string, signal: AbortSignal): Promise<TableSchema> {
    return await this.#withFile(this.#file(table), signal, async (database, { sql, columns: native }) => {
      const { columns } = await readRows(database, `SELECT * FROM ${sql}`);
      const catalogue = columns.map((column, index) => ({
        ...column,
        nativeType: native[index]?.type ?? "",
        primaryKey: false,
      }));
      const rowCount = Number(await database.ask(`SELECT count(*) FROM ${sql}`));
      return { columns: catalogue, rowCount, indexes: [] };
    });
  }

  async latest(request: ReadRequest, column: string, signal: AbortSignal): Promise<string | null> {
    return await this.#withFile(this.#requested(request), signal, (database, { sql }) =>
      database.ask(`SELECT CAST(max(${identifier(column)}) AS VARCHAR) FROM ${sql}`),
    );
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<RowStream> {
    const { database, source, end } = await this.#open(this.#requested(request), signal);
    try {
      const { select, parameters } = selection(source, request.cursor);
      const { columns, chunks } = await readRows(database, select, parameters);
      return { columns, chunks: ending(chunks, end) };
    } catch (error) {
      end();
      throw connectorError(error);
    }
  }

  async stage(request: WriteRequest, rows: RowStream, runId: string, signal: AbortSignal): Promise<Staged> {
    if (request.mode === "merge")
      throw new ConnectorError("unsupported", "files cannot be merged into: use append or replace");
    const file = this.#file(request.table, true);
    const directory = this.#directory();
    try {
      const target = { ...file, options: this.#csvOptions(), request, runId };
      const files = [file.path, temporaryOf(target)];
      const database = await openDatabase({ dataDirectory: this.#dataDirectory, directory, files }, signal);
      return await stageFile(database, target, rows);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      signal.throwIfAborted();
      throw connectorError(error);
    }
  }

  async close(): Promise<void> {
    rmSync(this.#work, { recursive: true, force: true });
  }

  #csvOptions(): Record<string, unknown> {
    const { options } = this.#config;
    return typeof options === "object" && options !== null ? { ...options } : {};
  }

  #requested({ table, query }: ReadRequest) {
    if (query !== undefined)
      throw new ConnectorError("unsupported", "files are read whole: put the query into a transformation");
    return this.#file(table);
  }

  /** `table` is a path of its own, relative to `config.path` where that is a directory. */
  #file(table: string | undefined, isTarget = false): { path: string; format: FileFormat } {
    const configured = this.#config.path ?? this.#config.file;
    const base = typeof configured === "string" ? configured : undefined;
    const asked = table ?? base;
    if (asked === undefined) throw new ConnectorError("schema", "no file is named (config.path)");
    const isWhole = table === undefined || table === base;
    const path = resolveFile(asked, isWhole ? undefined : base, this.#roots, isTarget);
    return { path, format: formatOf(path, this.#config.format) };
  }

  #directory(): string {
    const directory = join(this.#work, String(++this.#opened));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  /** A database that sees the one file. */
  async #open({ path, format }: { path: string; format: FileFormat }, signal: AbortSignal) {
    const directory = this.#directory();
    let database: Database | null = null;
    const end = () => {
      database?.close();
      rmSync(directory, { recursive: true, force: true });
    };
    try {
      const dataDirectory = this.#dataDirectory;
      database = await openDatabase({ dataDirectory, directory, files: [path], ...reading }, signal);
      return { database, source: await fileSource(database, path, format, this.#csvOptions()), end };
    } catch (error) {
      end();
      signal.throwIfAborted();
      throw connectorError(error);
    }
  }

  async #withFile<T>(
    file: { path: string; format: FileFormat },
    signal: AbortSignal,
    work: (database: Database, source: FileSource) => Promise<T>,
  ): Promise<T> {
    const { database, source, end } = await this.#open(file, signal);
    try {
      return await work(database, source);
    } catch (error) {
      signal.throwIfAborted();
      throw connectorError(error);
    } finally {
      end();
    }
  }
}

function selection({ sql, columns }: FileSource, cursor: ReadRequest["cursor"]) {
  if (!cursor) return { select: `SELECT * FROM ${sql}`, parameters: [] };
  const column = columns.find(({ name }) => name === cursor.column);
  if (!column) throw new ConnectorError("schema", `there is no column ${cursor.column}`);
  const name = identifier(column.name);
  const bound = (value: string) => `CAST(${literal(value)} AS ${column.type})`;
  const after = cursor.after === null ? "" : `${name} > ${bound(cursor.after)} AND `;
  return { select: `SELECT * FROM ${sql} WHERE ${after}${name} <= ${bound(cursor.upTo)}`, parameters: [] };
}

async function* ending(chunks: RowStream["chunks"], end: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw connectorError(error);
  } finally {
    end();
  }
}

/** DuckDB's faults in a connector's words; whatever else is thrown stays as it is. */
export function connectorError(error: unknown): unknown {
  if (!(error instanceof DuckDbError)) return error;
  return new ConnectorError(error.code === "resources" ? "refused" : "schema", error.message, error);
}
