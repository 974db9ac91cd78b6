/** Arrays on their way into ClickHouse: into tables that are made and into those that are there. */
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
const typeOf = (table: string, column = "a") =>
  query(`SELECT type FROM system.columns WHERE table = '${table}' AND name = '${column}'`);

/** Rows of one column, `a`, from arrays' JSON; null is NULL. */
const escaped = (json: string | null) => `${json === null ? "\\N" : json.replaceAll("\\", "\\\\")}\n`;
const arrays = (of: CommonType, values: (string | null)[]) =>
  rowsOf(columnsOf({ a: { kind: "array", of } }), values.map(escaped).join(""));
const read = async (table: string) => textOf(await to().read({ query: `SELECT a FROM ${table}` }, never));

const text: CommonType = { kind: "text" };
const int32: CommonType = { kind: "int32" };
const money: CommonType = { kind: "decimal", precision: 10, scale: 2 };
const uuid = "00112233-4455-6677-8899-aabbccddeeff";

const strings = `["",null,"null","NULL","it's \\"q\\" \\\\ \\\\N \\\\' \\\\\\" / , [] {} ]","\\t\\n\\r\\b\\f","\\u0001\\u001f\\u000b","я 🎉 \u2028","\\\\u0041"]`;

const made: Record<string, [CommonType, string, string[]]> = {
  texts: [text, "Array(Nullable(String))", [strings, "[]", "[null]", '[""]']],
  numbers: [int32, "Array(Nullable(Int32))", ["[-2147483648,null,2147483647]", "[]", "[0]"]],
  large: [
    { kind: "int64" },
    "Array(Nullable(Int64))",
    ["[-9223372036854775808,9223372036854775807]", "[null]"],
  ],
  decimals: [money, "Array(Nullable(Decimal(10, 2)))", ["[-99999999.99,null,0.05]", "[]"]],
  longest: [
    { kind: "decimal", precision: 38, scale: 38 },
    "Array(Nullable(Decimal(38, 38)))",
    [`[0.${"9".repeat(38)},-0.${"0".repeat(37)}1]`],
  ],
  floats: [
    { kind: "float64" },
    "Array(Nullable(Float64))",
    ['[0.5,null,"NaN","Infinity","-Infinity",1e-7,-1.5]', "[]"],
  ],
  days: [{ kind: "date" }, "Array(Nullable(Date))", ['["1970-01-01",null,"2105-12-31"]', "[]"]],
  names: [{ kind: "uuid" }, "Array(Nullable(UUID))", [`["${uuid}",null]`, "[]"]],
  nested: [
    { kind: "array", of: text },
    "Array(Array(Nullable(String)))",
    [`[${strings},[],[null],["],["]]`, "[]", "[[]]"],
  ],
  deep: [
    { kind: "array", of: { kind: "array", of: int32 } },
    "Array(Array(Array(Nullable(Int32))))",
    ["[[[1,null],[]],[]]"],
  ],
};

for (const [name, [of, type, values]] of Object.entries(made))
  test(`${name}: a made column is ${type}, and what it holds comes back`, async () => {
    await write(to(), writing(name), arrays(of, values));
    expect(await typeOf(name)).toBe(type);
    expect(await read(name)).toBe(values.map(escaped).join(""));
    await write(to(), writing(name, { mode: "replace" }), arrays(of, [...values, ...values]));
    expect(await read(name)).toBe([...values, ...values].map(escaped).join(""));
  });

test("booleans become 1 and 0", async () => {
  await write(to(), writing("flags"), arrays({ kind: "boolean" }, ["[true,false,null]", "[]"]));
  expect(await typeOf("flags")).toBe("Array(Nullable(UInt8))");
  expect(await read("flags")).toBe("[1,0,null]\n[]\n");
});

test("ClickHouse itself sees the elements", async () => {
  await write(to(), writing("seen"), arrays(text, [strings]));
  expect(await query("SELECT arrayMap(x -> ifNull(length(x), 99), a) FROM seen")).toBe(
    "[0,99,4,4,31,5,3,11,6]",
  );
  expect(await query("SELECT hex(a[6]), hex(a[7]), a[9] FROM seen")).toBe("090A0D080C\t011F0B\t\\\\u0041");
});

test("escapes as other writers of JSON spell them", async () => {
  await write(to(), writing("spelled"), arrays(text, ['["\\u001F\\/\\u000A\\u0041"]']));
  expect(await read("spelled")).toBe(escaped('["\\u001f/\\nA"]'));
});

const kept: Record<string, [CommonType, (string | null)[]]> = {
  "a NULL array": [text, ['["a"]', null, "[]"]],
  "more dimensions than the type tells": [int32, ["[1]", "[[1,2],[3,4]]"]],
  "NULL in place of an inner array": [{ kind: "array", of: int32 }, ["[[1],null]"]],
  "an escape that nobody writes": [text, ['["\\u00e9"]']],
  "days that Date has not": [{ kind: "date" }, ['["1969-12-31"]', '["0044-03-15 BC"]', '["infinity"]']],
  "a decimal that is no number": [money, ['["NaN"]', "[1.50]"]],
  "decimals of any precision": [{ kind: "decimal", precision: null, scale: 0 }, ["[1.50]", '["NaN"]']],
  "times, which have no type": [{ kind: "time" }, ['["23:59:59",null]']],
  instants: [{ kind: "timestamp", zoned: true }, ['["2025-01-31 23:59:59.123456",null]']],
  bytes: [{ kind: "bytes" }, ['["\\\\x00ff",null]']],
  documents: [{ kind: "json" }, ['["{\\"a\\": null}",null]']],
};

for (const [name, [of, values]] of Object.entries(kept))
  test(`kept as text for ${name}`, async () => {
    const table = name.replace(/\W/g, "_");
    await write(to(), writing(table), arrays(of, values));
    expect(await typeOf(table)).toBe("Nullable(String)");
    expect(await read(table)).toBe(values.map(escaped).join(""));
    await write(to(), writing(table), arrays(of, [null, "[]"]));
    expect((await read(table)).split("\n").sort()).toEqual(
      ["", ...[...values, null, "[]"].map((value) => escaped(value).trimEnd())].sort(),
    );
  });

const held: Record<string, [CommonType, string, string | null]> = {
  "Array(String)": [text, '["it\'s \\\\ \\n",""]', '["a",null]'],
  "Array(Enum8('it\\'s' = 1, 'b' = 2))": [text, '["it\'s","b"]', '["c"]'],
  "Array(FixedString(2))": [text, '["ab"]', '["abc"]'],
  "Array(Int16)": [{ kind: "int64" }, "[-32768,32767]", "[32768]"],
  "Array(Int32)": [int32, "[1]", "[1,null]"],
  "Array(UInt8)": [{ kind: "boolean" }, "[1,0]", "[256]"],
  "Array(Nullable(UInt16))": [int32, "[65535,null]", "[-1]"],
  "Array(UInt64)": [
    { kind: "decimal", precision: 20, scale: 0 },
    "[18446744073709551615]",
    "[18446744073709551616]",
  ],
  "Array(Decimal(4, 1))": [money, "[-999.9]", "[0.05]"],
  "Array(Nullable(Decimal(38, 2)))": [
    { kind: "decimal", precision: null, scale: 0 },
    "[1.50,null]",
    "[1.505]",
  ],
  "Array(Float64)": [int32, "[7,-2]", '["NaN"'],
  "Array(Nullable(Date))": [{ kind: "date" }, '["2025-01-31",null]', '["2025-02-31"]'],
  "Array(Array(Date))": [{ kind: "date" }, '[["2105-12-31"],[]]', '[["2106-12-31"]]'],
  "Array(UUID)": [{ kind: "uuid" }, `["${uuid}"]`, `["${uuid.replace("f", "g")}"]`],
  "Array(DateTime)": [
    { kind: "timestamp", zoned: false },
    '["2025-01-31 23:59:59"]',
    '["2025-01-31 23:59:59.5"]',
  ],
  "Array(Nullable(DateTime('America/New_York')))": [
    { kind: "timestamp", zoned: true },
    '["2025-03-30 02:30:00",null]',
    '["1969-01-01 00:00:00"]',
  ],
  "Array(Array(Nullable(DateTime)))": [
    { kind: "timestamp", zoned: true },
    '[["2025-03-30 02:30:00",null],[]]',
    '["2025-03-30 02:30:00"]',
  ],
  "Array(Array(Int32))": [int32, "[[1,2],[3,4]]", "[1]"],
};

for (const [index, [type, [of, good, bad]]] of Object.entries(held).entries())
  test(`into ${type} goes what it holds, and nothing else`, async () => {
    const table = `held_${index}`;
    await server.query(`CREATE TABLE ${table} (a ${type}) ENGINE = MergeTree ORDER BY tuple()`);
    await write(to(), writing(table), arrays(of, [good, "[]"]));
    expect((await read(table)).split("\n").sort()).toEqual(["", escaped(good).trimEnd(), "[]"].sort());
    for (const value of [bad, null, ""])
      await expect(stage(to(), writing(table), arrays(of, [good, value]))).rejects.toMatchObject({
        code: "refused",
      });
    expect(await query(`SELECT count() FROM ${table}`)).toBe("2");
  });

test("numbers into texts, but not into what is neither, and nothing but arrays into arrays", async () => {
  await server.query("CREATE TABLE mixed (a Array(Nullable(String))) ENGINE = MergeTree ORDER BY tuple()");
  await write(to(), writing("mixed"), arrays({ kind: "float64" }, ['[1.5,null,"NaN",1e-7]']));
  expect(await read("mixed")).toBe('["1.5",null,"NaN","1e-7"]\n');
  await server.query("CREATE TABLE days_only (a Array(Date)) ENGINE = MergeTree ORDER BY tuple()");
  for (const rows of [arrays(int32, ["[1]"]), rowsOf(columnsOf({ a: text }), "[]\n")])
    await expect(stage(to(), writing("days_only"), rows)).rejects.toMatchObject({ code: "unsupported" });
});

test("a NULL array is refused in words", async () => {
  await write(to(), writing("never_null"), arrays(text, ['["a"]']));
  await expect(stage(to(), writing("never_null"), arrays(text, [null, "[]", null]))).rejects.toThrow(
    "Column a: 2 values have no place in Array(Nullable(String)), which has no NULL",
  );
  expect(await query("SELECT count() FROM never_null")).toBe("1");
});

test("an added column and one in the key stay text", async () => {
  const list: CommonType = { kind: "array", of: int32 };
  await write(
    to(),
    writing("keyed", { mode: "merge", key: ["k"] }),
    rowsOf(columnsOf({ "k!": list }), "[1]\n[2]\n"),
  );
  expect(await typeOf("keyed", "k")).toBe("String");
  const wide = columnsOf({ "k!": list, "a!": list });
  const request = writing("keyed", { mode: "merge", key: ["k"], onSchemaChange: "add_columns" });
  await write(to(), request, rowsOf(wide, "[2]\t[5]\n"));
  expect(await query("SELECT * FROM keyed ORDER BY k")).toBe("[1]\t\\N\n[2]\t[5]");
});

for (const mode of ["append", "merge"] as const)
  test(`${mode}: another try of a run with arrays and decimals does nothing more`, async () => {
    const table = `again_${mode}`;
    const columns = columnsOf({
      "id!": int32,
      a: { kind: "array", of: { kind: "array", of: text } },
      d: { kind: "decimal", precision: null, scale: 0 },
    });
    const request = writing(table, { mode, key: ["id"] });
    const tryRun = async (run: string, rows: string) =>
      (await stage(to(), request, rowsOf(columns, rows), run)).publish();
    const forget = async () => {
      await server.query("CREATE TABLE notes AS quintet_published");
      await server.query("INSERT INTO notes SELECT * FROM quintet_published WHERE NOT done");
      await server.query("RENAME TABLE quintet_published TO gone, notes TO quintet_published");
      await server.query("DROP TABLE gone");
    };
    const [first, second] = ['1\t[["a\'",null],[]]\t1.500000000000000000\n2\t[]\t\\N\n', "3\t[[]]\t-7\n"];
    await tryRun(`${table} first`, first);
    await forget();
    await tryRun(`${table} first`, first);
    await tryRun(`${table} second`, second);
    await forget();
    await tryRun(`${table} second`, second);
    expect(await query(`SELECT * FROM ${table} ORDER BY id`)).toBe(
      "1\t[['a\\'',NULL],[]]\t1.500000000000000000\n2\t[]\t\\N\n3\t[[]]\t-7.000000000000000000",
    );
  });
