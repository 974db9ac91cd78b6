/** A user's SELECT over rows that stand in the table `input`, and in others beside it. */
import type { RowStream } from "../../connect/types.ts";
import {
  type Database,
  type DatabaseOptions,
  identifier,
  openDatabase,
  type Parameters,
} from "./database.ts";
import { createTable, loadRows } from "./load-rows.ts";
import { readRows } from "./read-rows.ts";
import { singleSelect } from "./single-select.ts";

/** What a statement may name apart from `input`. */
export interface Beside {
  /** Another name of `input`. */
  alias?: string | undefined;
  /** Tables of further rows, by their names. */
  tables?: ReadonlyMap<string, RowStream> | undefined;
}

export interface TransformOptions extends DatabaseOptions {
  parameters?: Parameters | undefined;
  beside?: Beside | undefined;
  signal: AbortSignal;
}

/** `transform` in a database of its own, which is closed when the rows end. */
export async function transformWithSql(
  input: RowStream,
  sql: string,
  { parameters, beside, signal, ...options }: TransformOptions,
): Promise<RowStream> {
  const database = await openDatabase(options, signal);
  try {
    const { columns, chunks } = await transform(database, input, sql, parameters, beside);
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
  { alias = "input", tables = new Map() }: Beside = {},
): Promise<RowStream> {
  const inputs: [name: string, rows: RowStream][] = [["input", input], ...tables];
  for (const [name, { columns }] of inputs) await createTable(database, name, columns);
  if (alias !== "input") await database.run(`CREATE VIEW ${identifier(alias)} AS FROM input`);
  const statement = await singleSelect(database, sql);
  const { columns, chunks } = await readRows(database, statement, parameters);
  async function* loaded() {
    for (const [name, rows] of inputs) await loadRows(database, name, rows);
    yield* chunks;
  }
  return { columns, chunks: loaded() };
}
