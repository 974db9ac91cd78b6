/** A file as something that DuckDB selects from, with no value changed by a guess at its type. */
import { type Database, literal } from "../../run/duckdb/database.ts";
import { describe, type FileColumn } from "./columns.ts";
import { findCsv, readCsv } from "./csv.ts";
import { findJson, readJson } from "./json.ts";
import { isNumber, lossyColumns } from "./lossy.ts";
import type { FileFormat } from "./paths.ts";

export interface FileSource {
  /** To be put after FROM. */
  sql: string;
  columns: FileColumn[];
}

/** A file's columns and how to read it. The whole file decides the types: it is read for them here. Throws DuckDbError when it is not what its format says. */
export async function fileSource(
  database: Database,
  path: string,
  format: FileFormat,
  options: Record<string, unknown>,
): Promise<FileSource> {
  switch (format) {
    case "parquet": {
      const sql = `read_parquet(${literal(path)})`;
      return { sql, columns: await describe(database, sql) };
    }
    case "json":
    case "ndjson":
      return await jsonSource(database, path, format);
    default:
      return await csvSource(database, path, {
        ...(format === "tsv" ? { delimiter: "\t" } : {}),
        ...options,
      });
  }
}

async function csvSource(
  database: Database,
  path: string,
  options: Record<string, unknown>,
): Promise<FileSource> {
  const file = await findCsv(database, path, options);
  const raw = readCsv(path, file, retyped(file.columns, isNumber, "VARCHAR"));
  const lossy = await lossyColumns(database, raw, file.columns.filter(isNumber));
  const columns = retyped(file.columns, ({ name }) => lossy.has(name), "VARCHAR");
  return { sql: readCsv(path, file, columns), columns };
}

async function jsonSource(database: Database, path: string, format: "json" | "ndjson"): Promise<FileSource> {
  const found = await findJson(database, path, format);
  const raw = readJson(path, format, retyped(found.columns, isNumber, "JSON"));
  const lossy = await lossyColumns(database, raw, found.columns.filter(isNumber));
  if (lossy.size === 0) return found;
  const columns = retyped(found.columns, ({ name }) => lossy.has(name), "VARCHAR");
  return { sql: readJson(path, format, columns), columns };
}

/** The columns, those that are meant with another type. */
const retyped = (
  columns: readonly FileColumn[],
  isMeant: (column: FileColumn) => boolean,
  type: string,
): FileColumn[] => columns.map((column) => (isMeant(column) ? { ...column, type } : column));
