/** Canonical rows for tests. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Column, CommonType, RowStream } from "../../../src/services/pipelines/connect/types.ts";
import {
  type Database,
  type DatabaseOptions,
  openDatabase,
} from "../../../src/services/pipelines/run/duckdb/database.ts";
import { temporaryDirectory } from "../../support/server.ts";

/** Encodes a value of text as COPY does. */
export const encode = (text: string | null): string =>
  text === null
    ? "\\N"
    : text.replace(
        /[\\\b\f\n\r\t\v]/g,
        (found) =>
          ({
            "\\": "\\\\",
            "\b": "\\b",
            "\f": "\\f",
            "\n": "\\n",
            "\r": "\\r",
            "\t": "\\t",
            "\v": "\\v",
          })[found] ?? "",
      );

/** Rows of one type a column, in chunks that end anywhere. */
export function stream(types: Record<string, CommonType>, rows: (string | null)[][]): RowStream {
  const bytes = Buffer.from(rows.map((row) => `${row.map(encode).join("\t")}\n`).join(""));
  return rawStream(types, bytes);
}

/** The same of text that is canonical already. */
export function rawStream(types: Record<string, CommonType>, bytes: Uint8Array, size = 7): RowStream {
  const columns: Column[] = Object.entries(types).map(([name, type]) => ({ name, type, nullable: true }));
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return { columns, chunks: chunks() };
}

/** All of a stream, as text. */
export async function textOf({ chunks }: RowStream): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  return Buffer.concat(pieces).toString();
}

/** A database in a directory of its own, with what it was opened in. */
export async function testDatabase(
  signal = new AbortController().signal,
  options: Partial<DatabaseOptions> = {},
): Promise<Database> {
  const directory = join(temporaryDirectory("duckdb"), "run");
  mkdirSync(directory);
  return await openDatabase({ dataDirectory: directory, directory, ...options }, signal);
}
