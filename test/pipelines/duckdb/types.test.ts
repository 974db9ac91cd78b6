/** Every common type through `SELECT * FROM input`, byte for byte; and DuckDB's own types on their way out. */
import { expect, test } from "bun:test";
import type { CommonType } from "../../../src/services/pipelines/connect/types.ts";
import { transform } from "../../../src/services/pipelines/run/duckdb/transform.ts";
import { encode, rawStream, stream, testDatabase, textOf } from "./rows.ts";

const nasty = [
  "",
  " ",
  "\\",
  "\\N",
  "\\\\N",
  "\\n",
  "\\\\n\n",
  "\n",
  "\r\n",
  "\t",
  "\b\f\v",
  "\\t\t\\\\t",
  "\\x6869",
  "NULL",
  "null",
  "\\.",
  '"',
  '""quoted"',
  "'",
  "''; DROP TABLE input; --",
  ",;|",
  "#comment",
  "-- x",
  "\u0001\u0002\u001f\u007f",
  "\u00a0\u2028\ufeff",
  "Привет, 世界 👩‍👩‍👧 é e\u0301",
  "\u{10ffff}",
  "00123",
  "1e5",
  "true",
  "NaN",
  "  both ends  ",
  "x".repeat(100_000),
  "\\\n\t".repeat(5_000),
];

const arrayOf = (of: CommonType): CommonType => ({ kind: "array", of });
const decimal = (precision: number | null, scale: number): CommonType => ({
  kind: "decimal",
  precision,
  scale,
});

const cases: [CommonType, string[]][] = [
  [{ kind: "boolean" }, ["1", "0"]],
  [{ kind: "int16" }, ["-32768", "32767", "0"]],
  [{ kind: "int32" }, ["-2147483648", "2147483647"]],
  [{ kind: "int64" }, ["-9223372036854775808", "9223372036854775807", "9007199254740993"]],
  [
    { kind: "float32" },
    ["0.1", "-1.5", "16777216", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity"],
  ],
  [
    { kind: "float64" },
    [
      ...["0.1", "-0", "5e-324", "1.7976931348623157e+308", "0.30000000000000004", "100", "1e+20"],
      ...["NaN", "Infinity", "-Infinity", "123456789.125"],
    ],
  ],
  [decimal(10, 2), ["12345678.90", "-0.01", "0.00"]],
  [decimal(38, 10), ["1234567890123456789012345678.0123456789", "-9999999999999999999999999999.9999999999"]],
  [decimal(38, 0), ["99999999999999999999999999999999999999"]],
  [{ kind: "text" }, nasty],
  [{ kind: "uuid" }, ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]],
  [
    { kind: "json" },
    [
      "{}",
      "[]",
      "null",
      '"a\\nb\\\\"',
      '{"a": 12345678901234567890.12345678901234567890, "a" : 1}',
      '{"я":"\\u0041\\"\\t"}',
    ],
  ],
  [{ kind: "bytes" }, ["\\x", "\\x00", "\\x5c6e", "\\xdeadbeef0a09"]],
  [{ kind: "date" }, ["2025-01-31", "0001-01-01", "9999-12-31", "1582-10-10"]],
  [{ kind: "time" }, ["00:00:00", "23:59:59.123456", "12:00:00.5"]],
  [
    { kind: "timestamp", zoned: false },
    [
      "2025-01-31 23:59:59.123456",
      "1969-12-31 23:59:59.999999",
      "0001-01-01 00:00:00",
      "9999-12-31 23:59:59",
    ],
  ],
  [{ kind: "timestamp", zoned: true }, ["2025-01-31 23:59:59.5", "1900-01-01 00:00:00"]],
  [arrayOf({ kind: "int64" }), ["[]", "[1,null,9223372036854775807]"]],
  [arrayOf({ kind: "boolean" }), ["[true,false,null]"]],
  [arrayOf({ kind: "float64" }), ['[1,2.5,"NaN","-Infinity","Infinity",null,1e+20]', "[0.5]"]],
  [arrayOf(decimal(38, 9)), ["[12345678901234567890.123456789,null]"]],
  [
    arrayOf({ kind: "text" }),
    [JSON.stringify([...nasty.slice(0, 10), ...nasty.slice(11, 20), null]), '["NULL",null,"null","[1]",""]'],
  ],
  [arrayOf({ kind: "uuid" }), ['["ffffffff-ffff-ffff-ffff-ffffffffffff",null]']],
  [arrayOf({ kind: "json" }), [JSON.stringify(['{"a": [1.0]}', null, '"x\\n"', "null"])]],
  [arrayOf({ kind: "bytes" }), [JSON.stringify(["\\x00ff", null, "\\x"])]],
  [arrayOf({ kind: "date" }), ['["2025-01-31",null]']],
  [arrayOf({ kind: "time" }), ['["23:59:59.123456"]']],
  [arrayOf({ kind: "timestamp", zoned: false }), ['["2025-01-31 23:59:59.5",null]']],
  [arrayOf({ kind: "timestamp", zoned: true }), ['["2025-01-31 23:59:59.5",null]']],
  [arrayOf(arrayOf({ kind: "int32" })), ["[[1,2],[],null,[null]]"]],
  [arrayOf(arrayOf({ kind: "text" })), ['[["a, b","[NULL]"],[],null,[null]]']],
  [arrayOf(arrayOf({ kind: "bytes" })), [JSON.stringify([["\\x00"], null, [null]])]],
];

for (const [type, values] of cases) {
  const name = JSON.stringify(type);
  test(`${name} alone and beside others`, async () => {
    const alone = await testDatabase();
    const rows = [null, ...values, null].map((value) => [value]);
    const answer = await transform(alone, stream({ value: type }, rows), "SELECT * FROM input");
    expect(answer.columns).toEqual([{ name: "value", type, nullable: true }]);
    expect(await textOf(answer)).toBe(rows.map(([value]) => `${encode(value ?? null)}\n`).join(""));
    alone.close();

    const beside = await testDatabase();
    const wide = rows.map(([value], index) => [String(index), value ?? null, ""]);
    const types: Record<string, CommonType> = { n: { kind: "int32" }, value: type, end: { kind: "text" } };
    const again = await transform(beside, stream(types, wide), "SELECT * FROM input");
    expect(await textOf(again)).toBe(wide.map((row) => `${row.map(encode).join("\t")}\n`).join(""));
    beside.close();
  });
}

test("numbers that DuckDB cannot hold stay text, digit by digit", async () => {
  const digits = `${"9".repeat(60)}.${"1".repeat(30)}`;
  const types = { a: decimal(null, 0), b: decimal(60, 30), c: decimal(3, 5) };
  const database = await testDatabase();
  const answer = await transform(
    database,
    stream(types, [[digits, "NaN", "0.00012"]]),
    "SELECT *, b::DOUBLE AS d FROM input",
  );
  expect(answer.columns.map(({ type }) => type.kind)).toEqual(["text", "text", "text", "float64"]);
  expect(await textOf(answer)).toBe(`${digits}\tNaN\t0.00012\tNaN\n`);
  database.close();
});

const own: [string, CommonType, string][] = [
  ["1::TINYINT", { kind: "int16" }, "1"],
  ["255::UTINYINT", { kind: "int16" }, "255"],
  ["65535::USMALLINT", { kind: "int32" }, "65535"],
  ["4294967295::UINTEGER", { kind: "int64" }, "4294967295"],
  ["18446744073709551615::UBIGINT", decimal(20, 0), "18446744073709551615"],
  ["sum(9223372036854775807)", decimal(38, 0), "9223372036854775807"],
  [
    "340282366920938463463374607431768211455::UHUGEINT",
    decimal(null, 0),
    "340282366920938463463374607431768211455",
  ],
  ["('9'||repeat('0',50))::BIGNUM", decimal(null, 0), `9${"0".repeat(50)}`],
  ["avg(1)", { kind: "float64" }, "1"],
  ["INTERVAL 3 DAY", { kind: "text" }, "3 days"],
  ["'a'::ENUM ('a', 'b')", { kind: "text" }, "a"],
  ["'2025-01-01 10:00:00+03'::TIMESTAMPTZ", { kind: "timestamp", zoned: true }, "2025-01-01 07:00:00"],
  [
    "'2025-01-01 10:00:00.123456789'::TIMESTAMP_NS",
    { kind: "timestamp", zoned: false },
    "2025-01-01 10:00:00.123456789",
  ],
  ["'2025-01-01'::TIMESTAMP_S", { kind: "timestamp", zoned: false }, "2025-01-01 00:00:00"],
  ["{a: 1, b: 'x\\\n'}", { kind: "json" }, '{"a":1,"b":"x\\\\\\n"}'],
  ["map(['k'], [1.5])", { kind: "json" }, '{"k":1.5}'],
  ["[{a: 1}, NULL]", arrayOf({ kind: "json" }), '["{\\"a\\":1}",null]'],
  ["[1, 2]::INTEGER[2]", arrayOf({ kind: "int32" }), "[1,2]"],
  ["[[1.5, 2], NULL]::DECIMAL(3,1)[2][]", arrayOf(arrayOf(decimal(3, 1))), "[[1.5,2.0],null]"],
  ["'\\x41'::BLOB", { kind: "bytes" }, "\\x41"],
  ["NULL", { kind: "int32" }, "\\N"],
  ["'ffffffffffffffffffffffffffffffff'::UUID", { kind: "uuid" }, "ffffffff-ffff-ffff-ffff-ffffffffffff"],
];

for (const [sql, type, text] of own)
  test(`DuckDB's ${sql}`, async () => {
    const database = await testDatabase();
    const answer = await transform(
      database,
      rawStream({ x: { kind: "text" } }, Buffer.from("")),
      `SELECT ${sql} AS x`,
    );
    expect(answer.columns[0]?.type).toEqual(type);
    expect(await textOf(answer)).toBe(`${text === "\\N" ? text : encode(text)}\n`);
    database.close();
  });
