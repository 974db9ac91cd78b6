/** A file as something that DuckDB selects from, with no value changed by a guess at its type. */
import { type Database, identifier, literal } from "../../run/duckdb/database.ts";
import type { FileFormat } from "./paths.ts";

/** What may be said of a CSV file; whatever is not said DuckDB finds out. */
const csvOptions = {
  header: (value: unknown) => (typeof value === "boolean" ? String(value) : null),
  delimiter: text,
  quote: text,
  escape: text,
  nullstr: text,
  encoding: text,
  skip: (value: unknown) => (Number.isSafeInteger(value) ? String(value) : null),
} as const;

function text(value: unknown): string | null {
  return typeof value === "string" ? literal(value) : null;
}

const csvNames: Partial<Record<keyof typeof csvOptions, string>> = { delimiter: "delim" };

/** The call that reads a file; every call reads the whole file to know its types. */
function reader(path: string, format: FileFormat, options: Record<string, unknown>, types: string[]): string {
  if (format === "parquet") return `read_parquet(${literal(path)})`;
  const list = [literal(path), "sample_size = -1"];
  if (format === "json" || format === "ndjson")
    list.push(
      `format = '${format === "json" ? "auto" : "newline_delimited"}'`,
      "maximum_object_size = 16777216",
    );
  else {
    list.push("allow_quoted_nulls = false", "max_line_size = 16777216", "buffer_size = 33554432");
    const given = { ...(format === "tsv" ? { delimiter: "\t" } : {}), ...options };
    for (const [name, write] of Object.entries(csvOptions)) {
      const value = write((given as Record<string, unknown>)[name]);
      if (value !== null) list.push(`${csvNames[name as keyof typeof csvOptions] ?? name} = ${value}`);
    }
  }
  if (types.length > 0)
    list.push(format.endsWith("json") ? `columns = {${types.join(", ")}}` : `types = {${types.join(", ")}}`);
  return `${format.endsWith("json") ? "read_json" : "read_csv"}(${list.join(", ")})`;
}

export interface FileColumn {
  name: string;
  type: string;
}

export interface FileSource {
  /** To be put after FROM. */
  sql: string;
  columns: FileColumn[];
}

/** A file's columns and how to read it. Throws DuckDbError when it is not what its format says. */
export async function fileSource(
  database: Database,
  path: string,
  format: FileFormat,
  options: Record<string, unknown>,
): Promise<FileSource> {
  const plain = reader(path, format, options, []);
  const columns = await describe(database, plain);
  if (format === "parquet") return { sql: plain, columns };
  const lossy = await lossyColumns(database, path, format, options, columns);
  if (lossy.size === 0) return { sql: plain, columns };
  const kept = columns.map(({ name, type }) => ({ name, type: lossy.has(name) ? "VARCHAR" : type }));
  const told = kept.filter(({ name }) => format.endsWith("json") || lossy.has(name));
  const types = told.map(({ name, type }) => `${literal(name)}: ${literal(type)}`);
  return { sql: reader(path, format, options, types), columns: kept };
}

async function describe(database: Database, source: string): Promise<FileColumn[]> {
  const result = await database.query(`SELECT * FROM ${source} LIMIT 0`);
  const types = result.columnTypes();
  return result.columnNames().map((name, index) => ({
    name,
    type: types[index]?.alias === "JSON" ? "JSON" : String(types[index]),
  }));
}

const isNumber = (type: string) =>
  /INT$|INTEGER|DOUBLE|FLOAT|DECIMAL/.test(type) && !/[[(]/.test(type.replace(/\(\d+,\d+\)$/, ""));

/**
 * Columns taken for numbers whose text would not come back: zeros at the front (articles, telephones), a plus sign, more digits than a float holds.
 */
async function lossyColumns(
  database: Database,
  path: string,
  format: FileFormat,
  options: Record<string, unknown>,
  columns: FileColumn[],
): Promise<Set<string>> {
  const numbers = columns.filter(({ type }) => isNumber(type));
  if (numbers.length === 0) return new Set();
  const isJson = format.endsWith("json");
  const types = (isJson ? columns : numbers).map(({ name, type }) => {
    const read = isNumber(type) ? (isJson ? "JSON" : "VARCHAR") : type;
    return `${literal(name)}: ${literal(read)}`;
  });
  const tests = numbers.map(({ name, type }, index) => {
    const digits = `regexp_replace(regexp_replace(CAST(${identifier(name)} AS VARCHAR), '[eE].*', ''), '^-?0*\\.?0*|\\.', '', 'g')`;
    const tooLong = type === "DOUBLE" || type === "FLOAT" ? ` OR length(${digits}) > 15` : "";
    return `bool_or(regexp_matches(CAST(${identifier(name)} AS VARCHAR), '^(\\+|-?0[0-9])')${tooLong}) AS l${index}`;
  });
  const found = await database.ask(
    `SELECT to_json(result) FROM (SELECT ${tests.join(", ")} FROM ${reader(path, format, options, types)}) AS result`,
  );
  const answers = JSON.parse(found ?? "{}") as Record<string, boolean | null>;
  return new Set(numbers.filter((_, index) => answers[`l${index}`] === true).map(({ name }) => name));
}
