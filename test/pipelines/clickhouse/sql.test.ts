import { expect, test } from "bun:test";
import { canonicalChunks } from "../../../src/services/pipelines/connect/clickhouse/canonical.ts";
import { failureOf } from "../../../src/services/pipelines/connect/clickhouse/failures.ts";
import { nativeType } from "../../../src/services/pipelines/connect/clickhouse/native-types.ts";
import {
  literal,
  parseRows,
  quoteTable,
  tableName,
  withParameters,
} from "../../../src/services/pipelines/connect/clickhouse/sql.ts";

test.each([
  ["it's", "'it\\'s'"],
  ["\\", "'\\\\'"],
  ["\\' OR 1 -- ", "'\\\\\\' OR 1 -- '"],
  ["a\0b\tc\nd", "'a\\0b\\tc\\nd'"],
  ["`", "'\\`'"],
  [null, "NULL"],
  [true, "1"],
  [-5, "(-5)"],
  [-0, "(-0)"],
  [1e308, "1e+308"],
  [Number.NaN, "nan"],
  [Number.NEGATIVE_INFINITY, "(-inf)"],
])("the literal of %p is %s", (value, sql) => {
  expect(literal(value)).toBe(sql);
});

test("parameters stand for values, but not in strings, names and comments", () => {
  const query = `SELECT $1, '$1', 'it''s \\' $2', "$1", \`$1\`, $2 -- $3\n/* $4 */ WHERE a = $10`;
  const parameters = ["x'y", -1, null, null, null, null, null, null, null, "ten"];
  expect(withParameters(query, parameters)).toBe(
    `SELECT 'x\\'y', '$1', 'it''s \\' $2', "$1", \`$1\`, (-1) -- $3\n/* $4 */ WHERE a = 'ten'`,
  );
  expect(() => withParameters("SELECT $2", ["one"])).toThrow("$2 has no value");
});

test("a table's name is quoted, whatever it is", () => {
  expect(quoteTable(tableName("a.b`c\\", "d"))).toBe("`a`.`b\\`c\\\\`");
  expect(tableName("b", "d")).toEqual({ database: "d", table: "b" });
});

test("a small answer is read", () => {
  expect(parseRows("a\\tb\t\\N\n\\\\N\t\n")).toEqual([
    ["a\tb", null],
    ["\\N", ""],
  ]);
  expect(parseRows("")).toEqual([]);
});

test("quotes lose their backslash and nothing else does, wherever the chunks end", async () => {
  const text = "a\\'b\\\\\\'c\\\\\t\\N\v\\n'\n\\\\";
  for (let at = 0; at <= text.length; at++) {
    const parts: Uint8Array[] = [];
    const chunks = async function* () {
      yield Buffer.from(text.slice(0, at));
      yield Buffer.from(text.slice(at));
    };
    for await (const chunk of canonicalChunks(chunks())) parts.push(chunk);
    expect(Buffer.concat(parts).toString()).toBe("a'b\\\\'c\\\\\t\\N\\v\\n'\n\\\\");
  }
});

test("an exception is told without the user's name and without the rows", () => {
  const old = failureOf(
    "Code: 193, e.displayText() = DB::Exception: Wrong password for user bob, e.what() = x",
  );
  expect([old.code, old.message]).toEqual([
    "authentication",
    "ClickHouse refused the user name or the password",
  ]);
  const parse = failureOf("Code: 27, e.displayText() = DB::Exception: Cannot parse input\n\nRow 1: secret");
  expect([parse.code, parse.message]).toEqual(["refused", "ClickHouse: Cannot parse input (code 27)"]);
  const current = failureOf("Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE) (version 24.3.1.1)");
  expect([current.code, current.message]).toEqual([
    "notFound",
    "ClickHouse: Unknown table. (UNKNOWN_TABLE) (code 60)",
  ]);
});

test.each([
  ["LowCardinality(Nullable(String))", "text", true],
  ["Nullable(DateTime64(3, 'Europe/Moscow'))", "timestamp", true],
  ["Bool", "boolean", false],
  ["Date32", "date", false],
  ["Int256", "text", false],
  ["Tuple(Int8, String)", "text", false],
  ["Array(Array(Nullable(Int8)))", "array", false],
])("%s is %s", (type, kind, nullable) => {
  const native = nativeType(type);
  expect(native.common.kind).toBe(kind as never);
  expect(native.nullable).toBe(nullable);
});
