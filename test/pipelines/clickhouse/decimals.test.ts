/** Decimals without precision, such as PostgreSQL's sums, on their way into ClickHouse. */
import { afterAll, beforeAll, expect } from "bun:test";
import type { CommonType } from "../../../src/services/pipelines/connect/types.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../../support/clickhouse.ts";
import {
  columnsOf,
  connectorTo,
  never,
  rowsOf,
  stage,
  testWithClickHouse as test,
  textOf,
  write,
  writing,
} from "./connection.ts";

let server: TestClickHouse;
beforeAll(async () => {
  if (hasClickHouse) server = await startClickHouse();
});
afterAll(() => server?.stop());

const to = () => connectorTo(server);
const query = async (sql: string) => (await server.query(sql)).trimEnd();
const typeOf = (table: string, column = "d") =>
  query(`SELECT type FROM system.columns WHERE table = '${table}' AND name = '${column}'`);

const open: CommonType = { kind: "decimal", precision: null, scale: 0 };
const rows = (...values: string[]) =>
  rowsOf(columnsOf({ d: open }), values.map((each) => `${each}\n`).join(""));
const read = async (table: string) =>
  (await textOf(await to().read({ query: `SELECT d FROM ${table}` }, never))).split("\n").slice(0, -1);

const [nines, zeros] = ["9".repeat(38), "0".repeat(17)];
const largest = `${"9".repeat(20)}.${"9".repeat(18)}`;

const made: [string, string[]][] = [
  ["numbers of any scale", ["1", "-20", "0", "1.5", "\\N", "-0.125", "3.100"]],
  ["as much as fits", [largest, `-${largest}`, `-0.${zeros}1`]],
  ["zeros behind the 18th digit", [`0.5${zeros}000`, `${"9".repeat(20)}.5${zeros}00`]],
];

for (const [name, values] of made)
  test(`made as decimals: ${name}`, async () => {
    const table = name.replace(/\W/g, "_");
    await write(to(), writing(table), rows(...values));
    expect(await typeOf(table)).toBe("Nullable(Decimal(38, 18))");
    const short = (value: string) => (value.includes(".") ? value.replace(/\.?0+$/, "") : value);
    expect((await read(table)).map(short).sort()).toEqual(values.map(short).sort());
    expect(await query(`SELECT toTypeName(sum(d)) FROM ${table}`)).toStartWith("Nullable(Decimal");
  });

const kept: Record<string, string[]> = {
  "a number that is none": ["1.5", "NaN"],
  infinity: ["-Infinity"],
  "a digit too many behind the point": [`0.${zeros}01`],
  "a digit too many before the point": [`1${"0".repeat(20)}`],
};

for (const [name, values] of Object.entries(kept))
  test(`kept as text for ${name}`, async () => {
    const table = name.replace(/\W/g, "_");
    await write(to(), writing(table), rows(...values));
    expect(await typeOf(table)).toBe("Nullable(String)");
    await write(to(), writing(table), rows("0.50", `-${nines}.5`));
    expect((await read(table)).sort()).toEqual([...values, "0.50", `-${nines}.5`].sort());
  });

test("later rows that fit are added, others refused", async () => {
  await write(to(), writing("later"), rows("1.25"));
  await write(to(), writing("later"), rows("7", "-0.5", "2.500000", "\\N"));
  await write(to(), writing("later"), rows(`0.${zeros}1`));
  for (const value of [`0.${zeros}01`, "1".repeat(21), "NaN", "Infinity"])
    await expect(stage(to(), writing("later"), rows("1", value))).rejects.toThrow("1 values have no place");
  expect(await query("SELECT count(), sum(d) FROM later")).toBe(`6\t10.25${zeros.slice(2)}1`);
});

test("a table that an earlier version made with text goes on", async () => {
  await server.query(
    "CREATE TABLE earlier (d Nullable(String), a Nullable(String)) ENGINE = MergeTree ORDER BY tuple()",
  );
  const columns = columnsOf({ d: open, a: { kind: "array", of: { kind: "text" } } });
  for (const mode of ["append", "append", "replace"] as const)
    await write(
      to(),
      writing("earlier", { mode }),
      rowsOf(columns, '1.50\t["a\\\\"",null]\nNaN\t\\N\n\\N\t[]\n'),
    );
  expect(await query("SELECT * FROM earlier ORDER BY d")).toBe('1.50\t["a\\\\"",null]\nNaN\t\\N\n\\N\t[]');
});

test("in a key, in a column without NULL, and in one that is added", async () => {
  const strict = columnsOf({ "k!": open, "d!": open });
  const request = writing("keyed", { mode: "merge", key: ["k"] });
  await write(to(), request, rowsOf(strict, "1.0\t1\n2\t2\n"));
  await write(to(), request, rowsOf(columnsOf({ k: open, d: open }), "1\t10\n"));
  const type = "Decimal(38, 18)";
  expect([await typeOf("keyed", "k"), await typeOf("keyed")]).toEqual([type, type]);
  expect(await query("SELECT toInt8(k), toInt8(d) FROM keyed ORDER BY k")).toBe("1\t10\n2\t2");
  await expect(stage(to(), request, rowsOf(strict, "1.0\t1\n1\t2\n"))).rejects.toThrow("same key");
  await expect(stage(to(), writing("null_key", { key: ["d"] }), rows("1", "\\N"))).rejects.toMatchObject({
    code: "refused",
  });

  const wide = columnsOf({ "k!": open, "d!": open, "more!": open });
  await write(to(), { ...request, onSchemaChange: "add_columns" }, rowsOf(wide, "2\t2\t0.5\n"));
  expect(await query("SELECT toInt8(k), toFloat32(more) FROM keyed ORDER BY k")).toBe("1\t\\N\n2\t0.5");
});

test("into narrower decimals that are there, from text too, goes what is the same number", async () => {
  await server.query("CREATE TABLE narrow (d Decimal(4, 2)) ENGINE = MergeTree ORDER BY tuple()");
  await write(to(), writing("narrow"), rows("-99.99", "0.5", "7"));
  await write(to(), writing("narrow"), rowsOf(columnsOf({ "d!": { kind: "text" } }), "1.1\n"));
  expect((await read("narrow")).sort()).toEqual(["-99.99", "0.50", "1.10", "7.00"]);
  for (const value of ["100", "0.005", "1e1", "", "\\N"])
    await expect(stage(to(), writing("narrow"), rows(value))).rejects.toMatchObject({ code: "refused" });
});
