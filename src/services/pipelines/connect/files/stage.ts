/** Rows on their way into a file: a table of DuckDB's until they are published, then a new file in the old one's place. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { extendedAttributes, setExtendedAttribute } from "../../../../platform/linux/attributes.ts";
import { type Database, identifier, literal } from "../../run/duckdb/database.ts";
import { duckDbError } from "../../run/duckdb/duckdb-error.ts";
import { createTable, loadRows } from "../../run/duckdb/load-rows.ts";
import { singleSelect } from "../../run/duckdb/single-select.ts";
import { ConnectorError, namesOf, type Staged, type WriteRequest } from "../connector.ts";
import type { Column, RowStream } from "../types.ts";
import type { FileFormat } from "./paths.ts";
import { fileSource } from "./source.ts";

export interface Target {
  path: string;
  format: FileFormat;
  options: Record<string, unknown>;
  request: WriteRequest;
  runId: string;
}

const table = "staged";

/** Tells by which run a file was published: set before the rename, so that a repeated run appends nothing twice. */
const runAttribute = "user.quintet.run";

/** Where a run makes the new file: beside the target, so that one rename puts it in place. */
export const temporaryOf = ({ path, runId }: Target): string =>
  join(dirname(path), `.${basename(path)}.${runId}.partial`);

/** Loads the rows and writes them beside the target, where nobody looks. */
export async function stageFile(database: Database, target: Target, rows: RowStream): Promise<Staged> {
  const { path, format, request, runId } = target;
  const temporary = temporaryOf(target);
  const appends = request.mode === "append" && existsSync(path);
  if (appends && format !== "ndjson" && format !== "csv" && format !== "tsv")
    throw new ConnectorError(
      "unsupported",
      `nothing can be appended to files of format ${format}: use replace`,
    );
  const discard = async () => {
    database.close();
    rmSync(temporary, { force: true });
    rmSync(database.directory, { recursive: true, force: true });
  };
  try {
    await createTable(database, table, rows.columns);
    await loadRows(database, table, rows);
    const columns = appends ? await columnsInOrder(database, target, rows.columns) : rows.columns;
    await write(database, target, temporary, columns, appends);
  } catch (error) {
    await discard();
    throw error;
  }
  let published = false;
  return {
    table: identifier(table),
    rows: Number(await database.ask(`SELECT count(*) FROM ${table}`)),
    ask: async (sql) => await database.ask(await singleSelect(database, sql)),
    publish: async () => {
      await alone(path, async () => {
        if (published || (existsSync(path) && wasPublished(path, runId))) return;
        // What is there now: another run may have added to it since this one was staged.
        if (appends) await appended(path, temporary, freshOf(database));
        else if (request.mode === "append" && existsSync(path))
          throw new ConnectorError("refused", "another run made the file meanwhile");
        replace(temporary, path, runId);
      });
      published = true;
      await discard();
    },
    discard,
  };
}

/** Rows that are to be put behind those of a file. */
const freshOf = ({ directory }: Database): string => join(directory, "fresh");

const turns = new Map<string, Promise<void>>();

/** Lets only one of this server's runs at a time change a file. */
async function alone(path: string, task: () => Promise<void>): Promise<void> {
  const turn = (turns.get(path) ?? Promise.resolve()).catch(() => {}).then(task);
  turns.set(path, turn);
  try {
    await turn;
  } finally {
    if (turns.get(path) === turn) turns.delete(path);
  }
}

/** Makes `temporary` what the file is, with the new rows behind it. */
async function appended(path: string, temporary: string, fresh: string): Promise<void> {
  try {
    await copyFile(path, temporary);
    append(temporary, fresh);
  } catch (error) {
    throw duckDbError(error);
  }
}

/** The order that the file's own columns have. Throws ConnectorError where they are others, unless new ones may be added. */
async function columnsInOrder(
  database: Database,
  { path, format, options, request }: Target,
  columns: readonly Column[],
): Promise<readonly Column[]> {
  const there = namesOf((await fileSource(database, path, format, options)).columns);
  const isSame = there.length === columns.length && columns.every(({ name }) => there.includes(name));
  if (!isSame && !(format === "ndjson" && request.onSchemaChange === "add_columns"))
    throw new ConnectorError(
      "schema",
      `the file's columns are ${there.join(", ")}, the rows' ${namesOf(columns).join(", ")}`,
    );
  if (format === "ndjson") return columns;
  return there.flatMap((name) => columns.filter((column) => column.name === name));
}

const quoted = new Set<Column["type"]["kind"]>(["text", "json", "array"]);

/** New content in a file of its own. */
async function write(
  database: Database,
  { path, format, options }: Target,
  temporary: string,
  columns: readonly Column[],
  appends: boolean,
): Promise<void> {
  // The name is the run's own: what is there was left by its last attempt.
  rmSync(temporary, { force: true });
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0o644;
  closeSync(openSync(temporary, "wx", mode));
  const fresh = appends ? freshOf(database) : temporary;
  const values = columns.map((column) => `${writtenValue(column, format)} AS ${identifier(column.name)}`);
  const how = copyOptions(format, options, columns, appends);
  await database.run(`COPY (SELECT ${values.join(", ")} FROM ${table}) TO ${literal(fresh)} (${how})`);
}

const isJson = (format: FileFormat): boolean => format === "json" || format === "ndjson";
/** More digits than readers of JSON keep of a number. */
const numberDigits = 15;

/** SQL: a column's value as it can be read again from a file of this format, which knows fewer types. */
function writtenValue({ name, type }: Column, format: FileFormat): string {
  const column = identifier(name);
  if (format === "parquet") return column;
  switch (type.kind) {
    case "bytes":
      return `'\\x' || lower(hex(${column}))`;
    case "array":
      return isJson(format) ? column : `CAST(to_json(${column}) AS VARCHAR)`;
    case "decimal": {
      // Without digits before the point DuckDB writes none, which is no number in JSON.
      const { precision, scale } = type;
      const isRounded = isJson(format) && scale > 0 && (precision ?? 0) > numberDigits;
      if (!isRounded && precision !== scale) return column;
      return `regexp_replace(CAST(${column} AS VARCHAR), '^(-?)\\.', '\\10.')`;
    }
    default:
      return column;
  }
}

function copyOptions(
  format: FileFormat,
  options: Record<string, unknown>,
  columns: readonly Column[],
  appends: boolean,
): string {
  const whole = "USE_TMP_FILE false";
  if (format === "parquet") return `FORMAT parquet, COMPRESSION zstd, ${whole}`;
  if (isJson(format)) return `FORMAT json, ARRAY ${format === "json"}, ${whole}`;
  const delimiter = typeof options.delimiter === "string" ? options.delimiter : format === "tsv" ? "\t" : ",";
  const header = options.header !== false && !appends;
  // In quotes no text looks like a delimiter or a quote to whoever finds those out.
  const texts = columns.filter(({ type }) => quoted.has(type.kind)).map(({ name }) => identifier(name));
  const quotes = texts.length > 0 ? `, FORCE_QUOTE (${texts.join(", ")})` : "";
  return `FORMAT csv, HEADER ${header}, DELIMITER ${literal(delimiter)}${quotes}, ${whole}`;
}

const lineFeed = 10;
const pieceSize = 1 << 20;

/** Puts one file's content behind another's, on a new line. */
function append(path: string, addition: string): void {
  const [to, from] = [openSync(path, "r+"), openSync(addition, "r")];
  try {
    const buffer = Buffer.alloc(pieceSize);
    let end = statSync(path).size;
    if (end > 0 && readSync(to, buffer, 0, 1, end - 1) === 1 && buffer[0] !== lineFeed)
      end += writeSync(to, "\n", end);
    for (let read = readSync(from, buffer); read > 0; read = readSync(from, buffer))
      for (let written = 0; written < read; ) {
        const count = writeSync(to, buffer, written, read - written, end);
        written += count;
        end += count;
      }
  } finally {
    closeSync(to);
    closeSync(from);
  }
}

function replace(temporary: string, path: string, runId: string): void {
  const file = openSync(temporary, "r+");
  try {
    try {
      setExtendedAttribute(file, { name: runAttribute, value: Buffer.from(runId) });
    } catch {
      // A file system without attributes: a run that dies between rename and record appends again.
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), "r");
  fsyncSync(directory);
  closeSync(directory);
}

function wasPublished(path: string, runId: string): boolean {
  const file = openSync(path, "r");
  try {
    return extendedAttributes(file).some(
      ({ name, value }) => name === runAttribute && value.toString() === runId,
    );
  } finally {
    closeSync(file);
  }
}
