/** The transformations of a run, one after the other. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Column, RowStream } from "../connect/types.ts";
import type { Definition } from "../definition.ts";
import { NotRunnable } from "./not-runnable.ts";
import { bound } from "./parameters.ts";

export interface TransformContext {
  /** Where files of the run may be made. */
  directory: string;
  dataDirectory: string;
  parameters: Record<string, unknown>;
  signal: AbortSignal;
  log(message: string): void;
}

/** Rows, and what they are called in SQL apart from `input`. */
export interface Input {
  name: string;
  rows: RowStream;
}

/**
 * The rows after all transformations. Of several inputs the first transformation, in SQL, makes one; without any they follow each other. Those that need all rows at once
 * begin when they are read. Throws NotRunnable for inputs that do not go together.
 */
export async function transformed(
  inputs: readonly Input[],
  transformations: Definition["transformations"],
  context: TransformContext,
): Promise<RowStream> {
  const [first] = transformations;
  if (inputs.length > 1 && first?.type === "python")
    throw new NotRunnable("several sources are joined in a SQL transformation, before any in Python");
  let current = first ? inputs : [concatenated(inputs)];
  for (const [index, { type, code }] of transformations.entries()) {
    const directory = join(context.directory, `transform_${index + 1}`);
    mkdirSync(directory, { mode: 0o700 });
    const rows =
      type === "sql"
        ? await withSql(current, code, { ...context, directory })
        : await withPython(current, code, { ...context, directory });
    current = [{ name: "input", rows }];
  }
  return rowsOf(current);
}

function rowsOf([first]: readonly Input[]): RowStream {
  if (!first) throw new NotRunnable("there is nothing to read");
  return first.rows;
}

/** Inputs one after the other; their columns must be the same. */
function concatenated(inputs: readonly Input[]): Input {
  const { columns } = rowsOf(inputs);
  const form = (of: readonly Column[]) => JSON.stringify(of.map(({ name, type }) => [name, type]));
  for (const { name, rows } of inputs)
    if (form(rows.columns) !== form(columns))
      throw new NotRunnable(
        `${name} has other columns than the first source: a SQL transformation must join them`,
      );
  async function* chunks() {
    for (const { rows } of inputs) yield* rows.chunks;
  }
  const nullable = (at: number) => inputs.some(({ rows }) => rows.columns[at]?.nullable);
  const common = columns.map((column, at) => ({ ...column, nullable: nullable(at) }));
  return { name: "input", rows: { columns: common, chunks: chunks() } };
}

/** In DuckDB, which is loaded for the first one that needs it. */
async function withSql(
  inputs: readonly Input[],
  code: string,
  context: TransformContext,
): Promise<RowStream> {
  const { transformWithSql } = await import("./duckdb/transform.ts");
  const { sql, values: parameters } = bound(code, context.parameters);
  const { directory, dataDirectory, signal } = context;
  const [first, ...others] = inputs;
  const tables = new Map(others.map(({ name, rows }) => [name, rows]));
  const beside = { alias: first?.name, tables };
  return await transformWithSql(rowsOf(inputs), sql, {
    directory,
    dataDirectory,
    parameters,
    beside,
    signal,
  });
}

async function withPython(
  inputs: readonly Input[],
  code: string,
  context: TransformContext,
): Promise<RowStream> {
  const { transformWithPython } = await import("./python/transform.ts");
  const { directory, parameters, signal, log } = context;
  const onLog = (text: string) => {
    if (text.trim() !== "") log(`python: ${text.trimEnd()}`);
  };
  return await transformWithPython(rowsOf(inputs), code, { directory, parameters, signal, onLog });
}
