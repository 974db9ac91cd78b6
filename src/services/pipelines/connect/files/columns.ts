/** Columns of files. */
import type { Database } from "../../run/duckdb/database.ts";

export interface FileColumn {
  name: string;
  /** DuckDB's name of it. */
  type: string;
}

/** The columns of what may be put after FROM. */
export async function describe(database: Database, source: string): Promise<FileColumn[]> {
  const found = await database.ask(
    `SELECT to_json(list({name: column_name, type: column_type})) FROM (DESCRIBE SELECT * FROM ${source})`,
  );
  return JSON.parse(found ?? "[]") as FileColumn[];
}
