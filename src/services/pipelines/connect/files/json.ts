/** JSON and NDJSON files: what DuckDB finds out of a whole file, once, and how it is read with it. */
import { type Database, literal } from "../../run/duckdb/database.ts";
import { describe, type FileColumn } from "./columns.ts";

/** How a file is read, to be put after FROM, where DuckDB finds out the columns: it reads the whole file whenever that is bound. */
const detecting = (path: string, format: "json" | "ndjson"): string =>
  `read_json(${[...always(path, format), "sample_size = -1"].join(", ")})`;

const always = (path: string, format: "json" | "ndjson"): string[] => [
  literal(path),
  `format = '${format === "json" ? "auto" : "newline_delimited"}'`,
  "maximum_object_size = 16777216",
];

/** The call that reads a file's columns as the types that are told. */
export function readJson(path: string, format: "json" | "ndjson", columns: readonly FileColumn[]): string {
  const types = columns.map(({ name, type }) => `${literal(name)}: ${literal(type)}`);
  return `read_json(${[...always(path, format), `columns = {${types.join(", ")}}`].join(", ")})`;
}

/** Names that DuckDB may have made where the file has none, or some that differ in case only: by them nothing would be found. */
const made = /^C\d+$|_\d+$/;
/** Types whose texts DuckDB reads by the patterns that it found. */
const patterned = /DATE|TIME/;

/** A file's columns, and how to read it so that all comes out the same, at the least expense. */
export async function findJson(
  database: Database,
  path: string,
  format: "json" | "ndjson",
): Promise<{ sql: string; columns: FileColumn[] }> {
  const sql = detecting(path, format);
  const columns = await describe(database, sql);
  const isPlain = columns.every(({ name, type }) => !made.test(name) && !patterned.test(type));
  return { sql: isPlain ? readJson(path, format, columns) : sql, columns };
}
