/** A user's SELECT over rows that stand in the table `input`. */
import type { RowStream } from "../../connect/types.ts";
import { type Database, type DatabaseOptions, openDatabase, type Parameters } from "./database.ts";
import { createTable, loadRows } from "./load-rows.ts";
import { readRows } from "./read-rows.ts";
import { singleSelect } from "./single-select.ts";

export interface TransformOptions extends DatabaseOptions {
  parameters?: Parameters | undefined;
  signal: AbortSignal;
}

/** `transform` in a database of its own, which is closed when the rows end. */
export async function transformWithSql(
  input: RowStream,
  sql: string,
  { parameters, signal, ...options }: TransformOptions,
): Promise<RowStream> {
  const database = await openDatabase(options, signal);
  try {
    const { columns, chunks } = await transform(database, input, sql, parameters);
    return { columns, chunks: closing(database, chunks) };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function* closing(database: Database, chunks: RowStream["chunks"]): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    database.close();
  }
}

/**
 * Answers the rows of `sql`, in which `$1`… or `$name` stand for `parameters`, over `input`. The statement is refused at once where DuckDB cannot understand it or it is
 * anything but one SELECT; the input is read when the result is. One transformation to a database. Throws DuckDbError.
 */
export async function transform(
  database: Database,
  input: RowStream,
  sql: string,
  parameters: Parameters = [],
): Promise<RowStream> {
  await createTable(database, "input", input.columns);
  const statement = await singleSelect(database, sql);
  const { columns, chunks } = await readRows(database, statement, parameters);
  async function* loaded() {
    await loadRows(database, "input", input);
    yield* chunks;
  }
  return { columns, chunks: loaded() };
}
