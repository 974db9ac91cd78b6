/** Values that break things, from every system into every other, compared byte for byte. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Connector } from "../../src/services/pipelines/connect/connector.ts";
import { Systems, types as systemTypes } from "../../src/services/pipelines/connect/registry.ts";
import type { Column, CommonType, RowStream } from "../../src/services/pipelines/connect/types.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { nastyColumns } from "../support/nasty-rows.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryDirectory } from "../support/server.ts";
import { clickhouseOptions, never } from "./clickhouse/connection.ts";
import { encode, stream, textOf } from "./duckdb/rows.ts";

const root = temporaryDirectory("pairs");
const systems = new Systems({ roots: [root], dataDirectory: temporaryDirectory("pairs-data") });
const has: Record<string, boolean> = { postgresql: hasPostgres, clickhouse: hasClickHouse };
let postgres: TestPostgres | undefined;
let house: TestClickHouse | undefined;

beforeAll(async () => {
  const starting = [hasPostgres ? startPostgres() : undefined, hasClickHouse ? startClickHouse() : undefined];
  [postgres, house] = (await Promise.all(starting)) as [typeof postgres, typeof house];
});
afterAll(async () => {
  await Promise.all([postgres?.stop(), house?.stop()]);
});

function open(system: string): Connector {
  if (system === "clickhouse" && house) return systems.open(system, clickhouseOptions(house));
  if (system !== "postgresql" || !postgres)
    return systems.open(system, { config: { path: root }, credentials: {} });
  const { hostname, port, username, password, pathname } = new URL(postgres.url);
  return systems.open(system, {
    config: { host: hostname, port: Number(port), database: pathname.slice(1), ssl_mode: "disable" },
    credentials: { username, password: decodeURIComponent(password) },
  });
}

type Value = string | null;

/** Rows that lie in a system, and what they are expected to be. */
interface Held {
  table: string;
  columns: Column[];
  rows: Value[][];
}

const numbers = /-?\d+(\.\d+)?/g;
const isJson = (system: string): boolean => /json$/.test(system);
const isUntyped = (system: string): boolean => isJson(system) || /^[ct]sv$/.test(system);

/** The rule: the text that a value, of the type that it came with, has when it is read from a system. It is the same one, except for what stands here. */
function shown(type: CommonType, value: Value, system: string): Value {
  if (value === null) return null;
  switch (type.kind) {
    case "float32":
    case "float64": // All write the shortest digits; ClickHouse `1e-7`, the others `1e-07`.
      return system === "clickhouse"
        ? value.replace(/e\+?(-?)0*/, "e$1")
        : value.replace(/e\+?(-?)(\d+)$/, (_, sign, digits) => `e${sign || "+"}${digits.padStart(2, "0")}`);
    case "decimal": // Files without types make floats of numbers that these hold exactly.
      return isUntyped(system) && type.precision !== null && type.precision <= 15
        ? value.replace(numbers, (number) => String(Number(number)))
        : value;
    case "json": // In JSON it is a value like others, and nothing lies between its parts.
      if (!isJson(system)) return value;
      return value === "null" ? null : value.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
    case "array":
      if (type.of.kind === "boolean" && system === "clickhouse")
        return value.replaceAll("true", "1").replaceAll("false", "0");
      return type.of.kind === "decimal" ? shown(type.of, value, system) : value;
    default:
      return value;
  }
}

let tables = 0;

/** Writes rows into a new table of a system, and reads them again. */
async function put(system: string, from: RowStream, rows: Value[][]): Promise<Held & { text: string }> {
  const connector = open(system);
  const table = `t${++tables}${system in has ? "" : `.${system}`}`;
  const request = { table, mode: "append", key: [], onSchemaChange: "fail" } as const;
  try {
    const staged = await connector.stage!(request, from, `run_${tables}`, never);
    await staged.publish();
    const stream = await connector.read({ table }, never);
    const text = await textOf(stream);
    const expected = rows.map((row) => row.map((value, at) => shown(from.columns[at]!.type, value, system)));
    return { table, columns: stream.columns, rows: expected, text };
  } finally {
    await connector.close();
  }
}

/** What rows are as text, a line each, in the order of their first column. */
const sorted = (lines: string[]): string[] =>
  lines.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
const linesOf = (text: string): string[] => sorted(text.split("\n").slice(0, -1));
const encoded = (rows: Value[][]): string[] => rows.map((row) => row.map(encode).join("\t"));

const kept = new Map<string, Promise<Held>>();

/** Some of the nasty columns in a system, written there once and as they should be. */
function own(system: string, names: string[]): Promise<Held> {
  const id = `${system} ${names}`;
  const held = kept.get(id) ?? write(system, names);
  kept.set(id, held);
  return held;
}

async function write(system: string, names: string[]): Promise<Held> {
  const columns = names.map((name) => nastyColumns[name]!);
  const types = Object.fromEntries([
    ["n", { kind: "int32" } as CommonType],
    ...names.map((name, at) => [name, columns[at]!.type] as const),
  ]);
  const length = Math.max(...columns.map(({ values }) => values.length));
  const rows = Array.from({ length }, (_, n) => [
    String(n),
    ...columns.map(({ values }) => values[n % values.length]!),
  ]);
  const held = await put(system, stream(types, rows), rows);
  expect(linesOf(held.text)).toEqual(encoded(held.rows));
  return held;
}

/** The columns that systems bring back as they should. */
const soundIn = (...among: string[]): string[] =>
  Object.keys(nastyColumns).filter(
    (name) => !among.some((system) => nastyColumns[name]!.known?.includes(system)),
  );

for (const from of systemTypes)
  for (const to of systemTypes)
    ([from, to].some((system) => has[system] === false) ? test.skip : test)(`${from} → ${to}`, async () => {
      const held = await own(from, soundIn(from, to));
      const source = open(from);
      try {
        const there = await put(to, await source.read({ table: held.table }, never), held.rows);
        expect(linesOf(there.text)).toEqual(encoded(there.rows));
        if (from === to) expect(there.columns).toEqual(held.columns);
      } finally {
        await source.close();
      }
    });

for (const [name, { known = [] }] of Object.entries(nastyColumns))
  for (const system of known)
    (has[system] === false ? test.skip : test.failing)(`known: ${name} in ${system}`, async () => {
      await own(system, [name]);
    });
