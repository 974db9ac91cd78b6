/**
 * Rows into a table: files of some megabytes in the run's directory, each read by DuckDB while the next is being filled. (A FIFO would hold one of
 * Bun's few threads for as long as its other end is slow.)
 */
import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Column, RowStream } from "../../connect/types.ts";
import { type Database, identifier, literal } from "./database.ts";
import { duckDbError } from "./duckdb-error.ts";
import { reading, typeName } from "./reading.ts";

/** Bytes of a file: two of them, and what DuckDB reads them into, are in memory at a time. */
const fileSize = 4 << 20;
const lineFeed = 10;

/** Makes an empty table for rows of these columns. */
export async function createTable(
  database: Database,
  table: string,
  columns: readonly Column[],
): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${identifier(name)} ${typeName(type)}`);
  await database.run(`CREATE TABLE ${identifier(table)} (${definitions.join(", ")})`);
}

/** Puts a stream's rows into a table of `createTable`. A value that does not fit its column's type is a DuckDbError. */
export async function loadRows(database: Database, table: string, rows: RowStream): Promise<void> {
  const names = [0, 1].map((index) => join(database.directory, `rows-${index}.tsv`));
  let reading: Promise<void> = Promise.resolve();
  let index = 0;
  try {
    for await (const file of files(rows)) {
      const path = names[index] ?? "";
      index = 1 - index;
      await writePieces(path, rows.columns.length === 1 ? markEmpty(file) : file);
      await reading;
      reading = database.run(insertion(table, rows.columns, path, file.size));
      // Whoever awaits it hears of its failure; until then it must not count as unheard.
      reading.catch(() => {});
    }
    await reading;
  } finally {
    await reading.catch(() => {});
    for (const path of names) rmSync(path, { force: true });
  }
}

interface Pieces {
  pieces: Uint8Array[];
  size: number;
}

/** Cuts a stream of chunks, which end anywhere, into pieces of whole rows. */
async function* files({ chunks }: RowStream): AsyncGenerator<Pieces> {
  let file: Pieces = { pieces: [], size: 0 };
  for await (const chunk of chunks) {
    const end = file.size + chunk.length < fileSize ? -1 : chunk.lastIndexOf(lineFeed);
    file.pieces.push(end === -1 ? chunk : chunk.subarray(0, end + 1));
    file.size += file.pieces.at(-1)?.length ?? 0;
    if (end === -1) continue;
    yield file;
    const rest = chunk.subarray(end + 1);
    file = { pieces: rest.length > 0 ? [rest] : [], size: rest.length };
  }
  if (file.size > 0) yield file;
}

async function writePieces(path: string, { pieces }: Pieces): Promise<void> {
  try {
    const file = await open(path, "w", 0o600);
    try {
      for (const piece of pieces)
        for (let written = 0; written < piece.length; )
          written += (await file.write(piece, written)).bytesWritten;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw duckDbError(error);
  }
}

/** A row of one empty value is an empty line, which CSV readers skip: an escape that stands for nothing marks it. */
const emptyMark = "\\e";

function markEmpty(file: Pieces): Pieces {
  const text = Buffer.concat(file.pieces).toString("latin1");
  if (!text.startsWith("\n") && !text.includes("\n\n")) return file;
  const marked = Buffer.from(text.replace(/^(?=\n)/gm, emptyMark), "latin1");
  return { pieces: [marked], size: marked.length };
}

function insertion(table: string, columns: readonly Column[], path: string, size: number): string {
  const parts = columns.map(({ type }, index) => reading(type, `c${index}`));
  const types = parts.map(({ read }, index) => `c${index}: ${literal(read)}`);
  // A row may be as long as the file.
  const longest = Math.max(size + 1, 2 << 20);
  const options = [
    ...["auto_detect = false", "header = false", "delim = '\t'", "quote = ''", "escape = ''", "comment = ''"],
    ...["nullstr = '\\N'", "new_line = '\\n'", `max_line_size = ${longest}`],
    `buffer_size = ${longest}`,
    `columns = {${types.join(", ")}}`,
  ];
  const source = `read_csv(${literal(path)}, ${options.join(", ")})`;
  const only = parts[0];
  const values =
    columns.length === 1 && only?.read === "VARCHAR"
      ? `CASE WHEN c0 = ${literal(emptyMark)} THEN '' ELSE ${only.value} END`
      : parts.map(({ value }) => value).join(", ");
  return `INSERT INTO ${identifier(table)} SELECT ${values} FROM ${source}`;
}
