/** CSV files: what may be said of them, and what DuckDB finds out of a whole file once and is told whenever it reads it. */
import { type Database, literal } from "../../run/duckdb/database.ts";
import { DuckDbError } from "../../run/duckdb/duckdb-error.ts";
import { describe, type FileColumn } from "./columns.ts";

/** A CSV file's columns, and how it is read. */
export interface CsvFile {
  columns: FileColumn[];
  /** Arguments of `read_csv`. */
  arguments: string[];
  /** The argument that tells types: all `columns` where nothing is left to be found out, else `types` of those by name. */
  told: "columns" | "types";
}

/** What may be said of a CSV file; whatever is not said DuckDB finds out. */
const options = {
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

/** Bytes of the longest line. A buffer has to hold one; its size must be told with it, or DuckDB takes sixteen times as much. */
const longestLine = 16 << 20;
const always = [
  "allow_quoted_nulls = false",
  `max_line_size = ${longestLine}`,
  `buffer_size = ${longestLine}`,
];

/** What was said of a file, as arguments by their names. */
function argumentsOf(given: Record<string, unknown>): Map<string, string> {
  const said = new Map<string, string>();
  for (const [name, write] of Object.entries(options)) {
    const value = write(given[name]);
    if (value !== null) said.set(name === "delimiter" ? "delim" : name, value);
  }
  return said;
}

const written = (said: ReadonlyMap<string, string>): string[] =>
  [...said].map(([name, value]) => `${name} = ${value}`);

/** What `sniff_csv` answers; characters that there are none of are `(empty)`. */
interface Sniffed {
  Delimiter: string;
  Quote: string;
  Escape: string;
  Comment: string;
  NewLineDelimiter: string;
  SkipRows: number;
  HasHeader: boolean;
  DateFormat: string | null;
  TimestampFormat: string | null;
  Columns: FileColumn[];
}

/**
 * Reads the whole file to find out its dialect and its types, which every value fits. Throws DuckDbError when it makes no sense as CSV.
 *
 * `sniff_csv` refuses files that contradict what was said of them, as an empty one does that is said to have a header, where `read_csv` does what was said: there, it has to find
 * out everything again whenever it reads.
 */
export async function findCsv(
  database: Database,
  path: string,
  given: Record<string, unknown>,
): Promise<CsvFile> {
  const said = argumentsOf(given);
  const detecting = ["sample_size = -1", ...always, ...written(said)];
  const call = [literal(path), ...detecting].join(", ");
  const sniffed = await sniff(database, call);
  if (sniffed === null)
    return {
      columns: await describe(database, `read_csv(${call})`),
      arguments: detecting,
      told: "types",
    };
  const found = written(new Map([...foundOf(sniffed), ...said]));
  return {
    columns: sniffed.Columns,
    arguments: ["auto_detect = false", ...always, ...found],
    told: "columns",
  };
}

/** Null where what is found is not what was said. */
async function sniff(database: Database, call: string): Promise<Sniffed | null> {
  try {
    const found = await database.ask(`SELECT to_json(found) FROM sniff_csv(${call}) AS found`);
    return JSON.parse(found ?? "") as Sniffed;
  } catch (error) {
    if (error instanceof DuckDbError && error.message.includes("different than the user input")) return null;
    throw error;
  }
}

/** DuckDB's name of dates as they are without a pattern, of which `infinity` is one too. */
const isoDates = "%Y-%m-%d";

/** What was found, as arguments by their names. */
function foundOf(sniffed: Sniffed): Map<string, string> {
  const character = (found: string) => literal(found === "(empty)" ? "" : found);
  const found = new Map([
    ["delim", character(sniffed.Delimiter)],
    ["quote", character(sniffed.Quote)],
    ["escape", character(sniffed.Escape)],
    ["comment", character(sniffed.Comment)],
    ["skip", String(sniffed.SkipRows)],
    ["header", String(sniffed.HasHeader)],
  ]);
  const { NewLineDelimiter: lineEnd, DateFormat: dates, TimestampFormat: timestamps } = sniffed;
  if (lineEnd !== "") found.set("new_line", literal(lineEnd));
  if (dates !== null && dates !== isoDates) found.set("dateformat", literal(dates));
  if (timestamps !== null) found.set("timestampformat", literal(timestamps));
  return found;
}

/** The call that reads a file's columns as the types that are told. */
export function readCsv(path: string, file: CsvFile, columns: readonly FileColumn[]): string {
  const types = columns.map(({ name, type }) => `${literal(name)}: ${literal(type)}`);
  const call = [literal(path), ...file.arguments, `${file.told} = {${types.join(", ")}}`];
  return `read_csv(${call.join(", ")})`;
}
