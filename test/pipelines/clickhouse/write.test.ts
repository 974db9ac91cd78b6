import { afterAll, beforeAll, expect } from "bun:test";
import type { Column } from "../../../src/services/pipelines/connect/types.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../../support/clickhouse.ts";
import { alone } from "../alone.ts";
import {
  clickhouseOptions,
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
const own = () =>
  query("SELECT name FROM system.tables WHERE name LIKE 'quintet_%' AND name != 'quintet_published'");

const pair: Column[] = columnsOf({ "id!": { kind: "int32" }, name: { kind: "text" } });

test("nasty values of every type come back byte for byte", async () => {
  const columns = columnsOf({
    "n!": { kind: "int16" },
    yes: { kind: "boolean" },
    small: { kind: "int16" },
    middle: { kind: "int32" },
    large: { kind: "int64" },
    f: { kind: "float32" },
    g: { kind: "float64" },
    money: { kind: "decimal", precision: 38, scale: 4 },
    exact: { kind: "decimal", precision: null, scale: 0 },
    t: { kind: "text" },
    u: { kind: "uuid" },
    j: { kind: "json" },
    b: { kind: "bytes" },
    day: { kind: "date" },
    time: { kind: "time" },
    at: { kind: "timestamp", zoned: false },
    zoned: { kind: "timestamp", zoned: true },
    list: { kind: "array", of: { kind: "text" } },
  });
  const uuid = "00112233-4455-6677-8899-aabbccddeeff";
  const lines = [
    [
      "1",
      "1",
      "-32768",
      "-2147483648",
      "-9223372036854775808",
      "3.4028235e38",
      "1e308",
      `${"9".repeat(34)}.9999`,
      `${"9".repeat(60)}.5`,
      "tab\\tnew\\nline\\rback\\\\slash \\\\N 'q' \"d\" `b` 🎉 я \\v\\b\\f",
      uuid,
      '{"a":"\\\\n\'"}',
      "\\\\x00ff",
      "1970-01-01",
      "23:59:59.123456",
      "0001-01-01 00:00:00.000001",
      "9999-12-31 23:59:59",
      '["a\\\\"b",null]',
    ],
    [
      "2",
      "0",
      "32767",
      "2147483647",
      "9223372036854775807",
      "NaN",
      "-Infinity",
      "-0.0001",
      "NaN",
      "",
      uuid,
      "null",
      "\\\\x",
      "2105-12-31",
      "00:00:00",
      "2025-02-28 12:00:00.5",
      "1969-12-31 23:59:59",
      "[]",
    ],
    [
      "3",
      "1",
      "0",
      "0",
      "0",
      "-0",
      "-1e-7",
      "0.0000",
      "-0.10",
      "\\\\N",
      uuid,
      "[]",
      "\\\\xab",
      "2025-03-30",
      "01:02:03",
      "2025-03-30 02:30:00",
      "2025-03-30 02:30:00",
      '["\\\\N"]',
    ],
    ["4", ...Array.from({ length: 17 }, () => "\\N")],
  ];
  const text = lines.map((line) => `${line.join("\t")}\n`).join("");
  const staged = await write(to(), writing("nasty"), rowsOf(columns, text));
  expect(staged.rows).toBe(4);
  const back = await to().read({ query: "SELECT * FROM nasty ORDER BY n" }, never);
  expect(await textOf(back)).toBe(text);

  // Once more, into the table that is there now, from what was read: chunks of one byte.
  const bytes = async function* () {
    for (const byte of Buffer.from(text)) yield Uint8Array.of(byte);
  };
  await write(to(), writing("nasty", { mode: "replace" }), { columns, chunks: bytes() });
  expect(await textOf(await to().read({ query: "SELECT * FROM nasty ORDER BY n" }, never))).toBe(text);
  expect(await own()).toBe("");
});

test("a missing table is made; appending adds to it; nothing is seen before it is published", async () => {
  const staged = await stage(to(), writing("made", { key: ["id"] }), rowsOf(pair, "1\ta\n2\t\\N\n"));
  expect(staged.rows).toBe(2);
  expect(await query("EXISTS TABLE made")).toBe("0");
  expect(await staged.ask(`SELECT max(id) FROM ${staged.table}`)).toBe("2");
  expect(await staged.ask(`SELECT name FROM ${staged.table} WHERE id = 2; `)).toBeNull();
  expect(await staged.ask(`SELECT name FROM ${staged.table} WHERE id = 3`)).toBeNull();
  await staged.publish();
  await write(to(), writing("made"), rowsOf(pair, "3\tc\n"));
  await write(to(), writing("made"), rowsOf(pair, ""));
  expect(await query("SELECT groupArray(id) FROM (SELECT id FROM made ORDER BY id)")).toBe("[1,2,3]");
  expect(await query("SELECT sorting_key FROM system.tables WHERE name = 'made'")).toBe("id");
  expect(await own()).toBe("");
});

test("what is discarded is gone", async () => {
  const staged = await stage(to(), writing("discarded"), rowsOf(pair, "1\ta\n"));
  await staged.discard();
  expect(await own()).toBe("");
  expect(await query("EXISTS TABLE discarded")).toBe("0");
});

for (const mode of ["append", "replace", "merge"] as const)
  test(`${mode}: publishing twice is publishing once, also in another try of the run`, async () => {
    const name = `twice_${mode}`;
    await server.query(
      `CREATE TABLE ${name} (id Int32, name Nullable(String)) ENGINE = MergeTree PARTITION BY id % 3 ORDER BY id`,
    );
    await server.query(`INSERT INTO ${name} VALUES (1, 'old'), (9, 'old')`);
    const request = writing(name, { mode, key: mode === "merge" ? ["id"] : [] });
    const text = "1\ta\n2\tb\n3\tc\n";
    const rows = () =>
      query(
        `SELECT groupArray(concat(toString(id), ifNull(name, ''))) FROM (SELECT * FROM ${name} ORDER BY id, name)`,
      );
    const staged = await stage(to(), request, rowsOf(pair, text), `twice ${mode}`);
    await staged.publish();
    const expected = {
      append: "['1a','1old','2b','3c','9old']",
      replace: "['1a','2b','3c']",
      merge: "['1a','2b','3c','9old']",
    }[mode];
    expect(await rows()).toBe(expected);
    await staged.publish();
    expect(await rows()).toBe(expected);
    await (await stage(to(), request, rowsOf(pair, text), `twice ${mode}`)).publish();
    expect(await rows()).toBe(expected);

    // As if the first try had died before it noted that it was done.
    await server.query("CREATE TABLE notes AS quintet_published");
    await server.query("INSERT INTO notes SELECT * FROM quintet_published WHERE NOT done");
    await server.query("RENAME TABLE quintet_published TO gone, notes TO quintet_published");
    await server.query("DROP TABLE gone");
    await server.query(`OPTIMIZE TABLE ${name} FINAL`);
    await (await stage(to(), request, rowsOf(pair, text), `twice ${mode}`)).publish();
    expect(await rows()).toBe(expected);
    expect(await own()).toBe("");
  });

/** Notes a run as begun and not done, as one that died would leave it. */
async function begun(run: string, blocks: Record<string, number>): Promise<void> {
  await server.query(`INSERT INTO quintet_published SELECT '${run}', now(), 0, '${JSON.stringify(blocks)}'`);
}

test("append: a try that died between two partitions is finished, beside what others inserted", async () => {
  await server.query(
    "CREATE TABLE half (id Int32, name Nullable(String)) ENGINE = MergeTree PARTITION BY id % 2 ORDER BY id",
  );
  await server.query("INSERT INTO half VALUES (1, 'old'), (2, 'old')");
  const staged = await stage(to(), writing("half"), rowsOf(pair, "1\ta\n2\tb\n"), "half");
  await begun("half", { "0": 2, "1": 2 });
  await server.query("ALTER TABLE half ATTACH PARTITION ID '1' FROM quintet_stage_half");
  await server.query("INSERT INTO half VALUES (4, 'other')");
  await staged.publish();
  expect(await query("SELECT groupArray(name) FROM (SELECT name FROM half ORDER BY id, name)")).toBe(
    "['a','old','b','old','other']",
  );

  const other = await stage(to(), writing("half"), rowsOf(pair, "1\tx\n3\ty\n"), "unclear");
  await begun("unclear", { "1": 3 });
  await server.query("INSERT INTO half VALUES (1, 'x')");
  await expect(other.publish()).rejects.toMatchObject({ code: "refused" });
  await other.discard();
});

test("append: other engines are appended to at most once", async () => {
  await server.query("CREATE TABLE journal (id Int64, name String) ENGINE = Log");
  await write(
    to(),
    writing("journal"),
    rowsOf(columnsOf({ "id!": { kind: "int16" }, "name!": { kind: "text" } }), "1\ta\n"),
  );
  expect(await query("SELECT * FROM journal")).toBe("1\ta");
  const staged = await stage(to(), writing("journal"), rowsOf([pair[0] as Column], "2\n"), "journal");
  await begun("journal", {});
  await expect(staged.publish()).rejects.toMatchObject({ code: "refused" });
  await staged.discard();
  const replacing = stage(to(), writing("journal", { mode: "replace" }), rowsOf(pair, ""));
  await expect(replacing).rejects.toMatchObject({ code: "unsupported" });
});

test("a swap that died between its halves is put right by the next try", async () => {
  await server.query("CREATE TABLE swapped (id Int32, name Nullable(String)) ENGINE = MergeTree ORDER BY id");
  await server.query("INSERT INTO swapped VALUES (7, 'old')");
  const request = writing("swapped", { mode: "merge", key: ["id"] });
  await server.query("RENAME TABLE swapped TO quintet_old_swapped");
  const staged = await stage(to(), request, rowsOf(pair, "1\ta\n"), "swapped");
  await server.query("RENAME TABLE swapped TO quintet_old_swapped");
  await staged.publish();
  expect(await query("SELECT groupArray(id) FROM (SELECT id FROM swapped ORDER BY id)")).toBe("[1,7]");
});

test("merge: keys of several columns, NULL in the target's keys, and keys that are refused", async () => {
  await server.query(
    "CREATE TABLE merged (a Nullable(Int32), b String, v Nullable(String), extra Int8 DEFAULT 5) ENGINE = MergeTree ORDER BY b",
  );
  await server.query(
    "INSERT INTO merged (a, b, v) VALUES (1, 'x', 'old'), (NULL, 'x', 'none'), (2, 'x', 'kept')",
  );
  const columns = columnsOf({ a: { kind: "int32" }, "b!": { kind: "text" }, v: { kind: "text" } });
  const request = writing("merged", { mode: "merge", key: ["a", "b"] });
  await write(to(), request, rowsOf(columns, "1\tx\tnew\n1\ty\tmore\n"));
  expect(await query("SELECT v, extra FROM merged ORDER BY v")).toBe("kept\t5\nmore\t5\nnew\t5\nnone\t5");
  for (const text of ["1\tx\ta\n1\tx\tb\n", "\\N\tx\ta\n"])
    await expect(stage(to(), request, rowsOf(columns, text))).rejects.toMatchObject({ code: "refused" });
  await expect(
    stage(to(), writing("merged", { mode: "merge", key: ["zz"] }), rowsOf(columns, "")),
  ).rejects.toMatchObject({
    code: "schema",
  });
  expect(await query("SELECT count() FROM merged")).toBe("4");
  expect(await own()).toBe("");
});

test("new columns are refused or added, as the request says", async () => {
  await write(to(), writing("drift"), rowsOf([pair[0] as Column], "1\n"));
  await expect(stage(to(), writing("drift"), rowsOf(pair, "2\tb\n"))).rejects.toMatchObject({
    code: "schema",
  });
  const wide = [...pair, ...columnsOf({ "born!": { kind: "date" } })];
  for (const [mode, text] of [
    ["append", "2\tb\t1961-04-12\n"],
    ["merge", "3\tc\t1961-04-12\n"],
  ] as const) {
    const request = writing("drift", { mode, key: ["id"], onSchemaChange: "add_columns" });
    await write(to(), request, rowsOf(wide, text));
  }
  expect(await query("SELECT * FROM drift ORDER BY id")).toBe(
    "1\t\\N\t\\N\n2\tb\t1961-04-12\n3\tc\t1961-04-12",
  );
});

test("values that the table cannot hold are refused, and the table stays as it was", async () => {
  await server.query(`CREATE TABLE strict (n Int16, s String, d Nullable(Date), at Nullable(DateTime), k Enum8('a' = 1),
    p Nullable(Decimal(4, 1)), u UInt8) ENGINE = MergeTree ORDER BY n`);
  const types: Record<string, [Column["type"], string, string[]]> = {
    n: [{ kind: "int64" }, "-32768", ["32768", "\\N"]],
    s: [{ kind: "text" }, "", ["\\N"]],
    d: [
      { kind: "date" },
      "1970-01-01",
      ["1969-12-31", "2150-01-01", "2025-02-31", "infinity", "0044-03-15 BC"],
    ],
    at: [
      { kind: "timestamp", zoned: true },
      "2025-01-31 23:59:59",
      ["2025-01-31 23:59:59.5", "1969-01-01 00:00:00", "-infinity"],
    ],
    k: [{ kind: "text" }, "a", ["b"]],
    p: [{ kind: "decimal", precision: 10, scale: 2 }, "-1.50", ["1.55", "1000.00"]],
    u: [{ kind: "int16" }, "255", ["256", "-1"]],
  };
  for (const [name, [type, good, bad]] of Object.entries(types)) {
    const columns = columnsOf({ [name]: type });
    await write(to(), writing("strict", { mode: "replace" }), rowsOf(columns, `${good}\n`));
    const read = await to().read({ query: `SELECT ${name} FROM strict` }, never);
    expect(await textOf(read)).toBe(`${good === "-1.50" ? "-1.5" : good}\n`);
    for (const value of bad) {
      const failure = await stage(to(), writing("strict"), rowsOf(columns, `${good}\n${value}\n`)).catch(
        (error) => error,
      );
      expect([name, value, failure.code]).toEqual([name, value, "refused"]);
    }
    expect(await query("SELECT count() FROM strict")).toBe("1");
  }
  expect(await own()).toBe("");
});

test("rows that cannot be read leave everything as it was, and so does a source that fails", async () => {
  await write(to(), writing("intact"), rowsOf(pair, "1\ta\n"));
  const broken = async function* (fault: string | Error) {
    for (let i = 0; i < 200; i++) {
      yield Buffer.from("5\tfine\n".repeat(10_000));
      if (i === 100 && typeof fault === "string") yield Buffer.from(fault);
      if (i === 100 && fault instanceof Error) throw fault;
    }
  };
  const fault = new Error("the source broke");
  const failing = { columns: pair, chunks: broken("many\ta\tb\n") };
  await expect(stage(to(), writing("intact"), failing)).rejects.toMatchObject({ code: "refused" });
  await expect(stage(to(), writing("intact"), { columns: pair, chunks: broken(fault) })).rejects.toBe(fault);
  expect(await query("SELECT * FROM intact")).toBe("1\ta");
  expect(await own()).toBe("");
});

test("aborting ends the load within 2 seconds, also when the source is stuck", async () => {
  const controller = new AbortController();
  const stuck = async function* () {
    // The server begins when it has read this much.
    for (let i = 0; i < 10; i++) yield Buffer.from("1\ta\n".repeat(200_000));
    await new Promise(() => {});
  };
  const staging = stage(
    to(),
    writing("aborted"),
    { columns: pair, chunks: stuck() },
    "aborted",
    controller.signal,
  );
  while ((await query("SELECT count() FROM system.processes WHERE query LIKE 'INSERT%'")) === "0")
    await Bun.sleep(10);
  const begunAt = performance.now();
  controller.abort(new Error("cancelled"));
  await expect(staging).rejects.toThrow("cancelled");
  expect(performance.now() - begunAt).toBeLessThan(2_000);
  while ((await query("SELECT count() FROM system.processes WHERE query LIKE 'INSERT%'")) !== "0")
    await Bun.sleep(20);
  expect(performance.now() - begunAt).toBeLessThan(2_000);
  expect(await own()).toBe("");
});

test("a million rows in and out take less memory than they are, also through a slow reader", async () => {
  const columns = columnsOf({ "id!": { kind: "int64" }, t: { kind: "text" }, day: { kind: "date" } });
  const line = `1234567\tit's ${"x".repeat(400)}\t2025-01-31\n`;
  const times = 1_000_000;
  const { written, lines, bytes, peakMemory } = await alone({
    ...clickhouseOptions(server),
    write: { table: "million", columns, line, times },
    read: { request: { table: "million" }, pauses: 100 },
  });
  expect([written, lines, bytes]).toEqual([times, times, times * line.length]);
  expect(peakMemory).toBeLessThan(330_000_000);
});
