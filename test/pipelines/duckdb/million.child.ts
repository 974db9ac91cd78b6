/** Many rows through DuckDB in a process of their own, whose memory can then be measured; prints figures as JSON. Its argument is the number of rows. */
import { readFileSync } from "node:fs";
import type { RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { openDatabase } from "../../../src/services/pipelines/run/duckdb/database.ts";
import { createTable, loadRows } from "../../../src/services/pipelines/run/duckdb/load-rows.ts";
import { readRows } from "../../../src/services/pipelines/run/duckdb/read-rows.ts";

const rows = Number(process.argv[2]);
const batch = 10_000;
const directory = process.cwd();

const types = [
  ["id", { kind: "int64" }],
  ["name", { kind: "text" }],
  ["amount", { kind: "decimal", precision: 18, scale: 2 }],
  ["made", { kind: "timestamp", zoned: true }],
  ["ok", { kind: "boolean" }],
] as const;

async function* chunks() {
  for (let from = 0; from < rows; from += batch) {
    let text = "";
    for (let n = from; n < from + batch; n++)
      text += `${n}\tname\\tof row ${n} имя\t${n}.37\t2025-01-31 23:59:${String(n % 60).padStart(2, "0")}\t${n % 2}\n`;
    yield Buffer.from(text);
  }
}

const megabytes = (field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1000;

const input: RowStream = {
  columns: types.map(([name, type]) => ({ name, type, nullable: false })),
  chunks: chunks(),
};
const idle = megabytes("VmRSS");
const start = performance.now();
const database = await openDatabase({ dataDirectory: directory, directory }, new AbortController().signal);
const opened = performance.now();
await createTable(database, "input", input.columns);
await loadRows(database, "input", input);
const loaded = performance.now();
let bytes = 0;
let lines = 0;
for await (const chunk of (await readRows(database, "SELECT *, amount * 2 AS twice FROM input")).chunks) {
  bytes += chunk.length;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
}
const end = performance.now();
database.close();
console.log(
  JSON.stringify({
    rows: lines,
    bytes,
    openedMs: Math.round(opened - start),
    inRowsPerSecond: Math.round((rows / (loaded - opened)) * 1000),
    outRowsPerSecond: Math.round((rows / (end - loaded)) * 1000),
    idle,
    peak: megabytes("VmHWM"),
  }),
);
