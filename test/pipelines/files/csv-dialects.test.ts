/** What is found out of a CSV file once and told from then on, beside what DuckDB itself finds out whenever it reads one. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileSource } from "../../../src/services/pipelines/connect/files/source.ts";
import {
  type Database,
  identifier,
  literal,
  openDatabase,
} from "../../../src/services/pipelines/run/duckdb/database.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { csvFiles, saidOfCsv } from "./csv-cases.ts";

const longest = 16 << 20;

/** The file as it was read before: every call finds out everything. */
function detecting(path: string, said: Record<string, unknown>, types: string[]): string {
  const list = [literal(path), "sample_size = -1", "allow_quoted_nulls = false"];
  list.push(`max_line_size = ${longest}`, `buffer_size = ${2 * longest}`);
  for (const [name, value] of Object.entries(said))
    list.push(
      `${name === "delimiter" ? "delim" : name} = ${typeof value === "string" ? literal(value) : value}`,
    );
  if (types.length > 0) list.push(`types = {${types.join(", ")}}`);
  return `read_csv(${list.join(", ")})`;
}

/** The test of numbers as it was before, by patterns alone. */
async function detected(database: Database, path: string, said: Record<string, unknown>): Promise<string> {
  const described = await database.query(`SELECT * FROM ${detecting(path, said, [])} LIMIT 0`);
  const types = described.columnTypes().map(String);
  const numbers = described.columnNames().filter((_, index) => /^(BIGINT|DOUBLE)$/.test(types[index] ?? ""));
  const asText = (names: string[]) => names.map((name) => `${literal(name)}: 'VARCHAR'`);
  const lossy: string[] = [];
  for (const name of numbers) {
    const text = identifier(name);
    const digits = `regexp_replace(regexp_replace(${text}, '[eE].*', ''), '^-?0*\\.?0*|\\.', '', 'g')`;
    const isFloat = types[described.columnNames().indexOf(name)] === "DOUBLE";
    const found = await database.ask(
      `SELECT bool_or(regexp_matches(${text}, '^(\\+|-?0[0-9])') OR ${isFloat} AND length(${digits}) > 15)
      FROM ${detecting(path, said, asText(numbers))}`,
    );
    if (found === "true") lossy.push(name);
  }
  return detecting(path, said, asText(lossy));
}

/** Names, types and all rows in their order; or the first line of what is wrong. */
async function content(database: Database, source: () => Promise<string>): Promise<string> {
  try {
    const sql = await source();
    const described = await database.query(`SELECT * FROM ${sql} LIMIT 0`);
    const columns = described
      .columnNames()
      .map((name, index) => [name, String(described.columnTypes()[index])]);
    const rows = await database.ask(`SELECT md5(string_agg(CAST(t AS VARCHAR), chr(10))) FROM ${sql} AS t`);
    const first = await database.ask(`SELECT left(CAST(t AS VARCHAR), 200) FROM ${sql} AS t`);
    return `${JSON.stringify(columns)} ${first} ${rows}`;
  } catch (error) {
    return String(error).split("\n")[0] ?? "";
  }
}

const place = temporaryDirectory("csv-dialects");
const path = join(place, "a.csv");

/** A database for each: what one read leaves behind must not help the other. */
async function read(source: (database: Database) => Promise<string>): Promise<string> {
  const directory = join(place, "run");
  mkdirSync(directory, { recursive: true });
  const database = await openDatabase(
    { dataDirectory: place, directory, files: [path] },
    new AbortController().signal,
  );
  try {
    return await content(database, () => source(database));
  } finally {
    database.close();
  }
}

for (const [index, said] of saidOfCsv.entries())
  test(`what is found once is what is always found: ${index === 0 ? "nothing is said" : JSON.stringify(said)}`, async () => {
    for (const [name, text] of Object.entries(csvFiles)) {
      if (index > 0 && text.length > 1 << 20) continue;
      writeFileSync(path, text);
      const before = await read((database) => detected(database, path, said));
      const now = await read(async (database) => (await fileSource(database, path, "csv", said)).sql);
      expect({ name, content: now }).toEqual({ name, content: before });
    }
  });

test("lines of 16 MiB are read, longer ones refused", async () => {
  const csv = async (database: Database) => (await fileSource(database, path, "csv", {})).sql;
  const value = "x".repeat(longest - 20);
  writeFileSync(path, `a,b\n1,${value}\n2,"${"x\n".repeat((longest - 20) / 2)}"\n`);
  expect(await read(csv)).toStartWith('[["a","BIGINT"],["b","VARCHAR"]]');
  writeFileSync(path, `a,b\n1,${value}${value}\n2,y\n`);
  expect(await read(csv)).toStartWith("DuckDbError: Invalid Input Error: CSV Error on Line: 1");
});
