/** JSON files that are read with the columns that were found once, beside DuckDB's own reading of them. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileSource } from "../../../src/services/pipelines/connect/files/source.ts";
import { literal, openDatabase } from "../../../src/services/pipelines/run/duckdb/database.ts";
import { temporaryDirectory } from "../../support/server.ts";

const files: Record<string, string> = {
  "an array": '[{"a":1,"b":"x"},{"a":2}]',
  lines: '{"a":1,"b":"x"}\n\n{"a":2}\n',
  "no objects": "[1,2,3]",
  "values that are not all objects": '[{"a":1},2]',
  "nested values": '{"o":{"d":true,"n":[1,2,{"x":1.5}]},"l":[[1],[2]],"e":[],"z":null}\n',
  "keys of any number": Array.from({ length: 300 }, (_, n) => `{"m":{"k${n}":1}}\n`).join(""),
  "types that come late": `${'{"a":1}\n'.repeat(25_000)}{"a":1.5,"z":"x"}\n`,
  "mixed types": '{"a":1}\n{"a":"x"}\n{"a":1.5}\n',
  "ISO dates": '{"d":"2025-01-31","t":"2025-01-31 10:00:00","z":"2025-01-01T10:00:00Z"}\n',
  "dates of Europe": '{"d":"31-01-2025","n":1}\n{"d":"01-02-2025","n":2}\n',
  "names that differ in case": '{"a":1,"A":2}\n',
  "names that are empty or odd": '{"a\'b":1,"":2}\n',
  identifiers: '{"u":"7f1b6c1e-4d07-4c7e-9c56-0d5d9b1f4b6a","n":18446744073709551615}\n',
  nothing: "",
  broken: '{"a":1}\n{"a":\n',
};

const place = temporaryDirectory("json-columns");
const path = join(place, "a.json");

async function content(format: "json" | "ndjson", isDetected: boolean): Promise<string> {
  const directory = join(place, "run");
  mkdirSync(directory, { recursive: true });
  const database = await openDatabase(
    { dataDirectory: place, directory, files: [path] },
    new AbortController().signal,
  );
  const detected = `read_json(${literal(path)}, sample_size = -1, format = '${format === "json" ? "auto" : "newline_delimited"}')`;
  try {
    const sql = isDetected ? detected : (await fileSource(database, path, format, {})).sql;
    const columns = await database.ask(`SELECT to_json(list(c)) FROM (DESCRIBE SELECT * FROM ${sql}) AS c`);
    const rows = await database.ask(
      `SELECT md5(to_json(list(t))) || left(to_json(list(t)), 200) FROM ${sql} AS t`,
    );
    return `${columns} ${rows}`;
  } catch (error) {
    return String(error).split("\n")[0] ?? "";
  } finally {
    database.close();
  }
}

for (const [name, text] of Object.entries(files))
  test(`${name}: all columns and rows are what DuckDB finds`, async () => {
    writeFileSync(path, text);
    for (const format of ["json", "ndjson"] as const)
      expect({ format, content: await content(format, false) }).toEqual({
        format,
        content: await content(format, true),
      });
  });
