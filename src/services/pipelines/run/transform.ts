/** The transformations of a run, one after the other. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RowStream } from "../connect/types.ts";
import type { Definition } from "../definition.ts";
import { bound } from "./parameters.ts";

export interface TransformContext {
  /** Where files of the run may be made. */
  directory: string;
  dataDirectory: string;
  parameters: Record<string, unknown>;
  signal: AbortSignal;
  log(message: string): void;
}

/** The rows after all transformations. Those that need all rows at once begin when they are read. */
export async function transformed(
  rows: RowStream,
  transformations: Definition["transformations"],
  context: TransformContext,
): Promise<RowStream> {
  let current = rows;
  for (const [index, { type, code }] of transformations.entries()) {
    const directory = join(context.directory, `transform_${index + 1}`);
    mkdirSync(directory, { mode: 0o700 });
    current =
      type === "sql"
        ? await withSql(current, code, { ...context, directory })
        : await withPython(current, code, { ...context, directory });
  }
  return current;
}

/** In DuckDB, which is loaded for the first one that needs it. */
async function withSql(rows: RowStream, code: string, context: TransformContext): Promise<RowStream> {
  const { transformWithSql } = await import("./duckdb/transform.ts");
  const { sql, values } = bound(code, context.parameters);
  const { directory, dataDirectory, signal } = context;
  return await transformWithSql(rows, sql, { directory, dataDirectory, parameters: values, signal });
}

async function withPython(rows: RowStream, code: string, context: TransformContext): Promise<RowStream> {
  const { transformWithPython } = await import("./python/transform.ts");
  const { directory, parameters, signal, log } = context;
  const onLog = (text: string) => {
    if (text.trim() !== "") log(`python: ${text.trimEnd()}`);
  };
  return await transformWithPython(rows, code, { directory, parameters, signal, onLog });
}
