/** Values that break things, of the common types, as the text that rows travel as has them before it is escaped. */
import type { CommonType } from "../../src/services/pipelines/connect/types.ts";

export interface NastyColumn {
  type: CommonType;
  /** NULL is null. */
  values: readonly (string | null)[];
  /** Systems that do not bring it back, which they should. */
  known?: readonly string[];
}

const decimal = (precision: number | null, scale: number): CommonType => ({
  kind: "decimal",
  precision,
  scale,
});
const array = (of: CommonType): CommonType => ({ kind: "array", of });
const text: CommonType = { kind: "text" };
const uuid = "00112233-4455-6677-8899-aabbccddeeff";
const nines = (count: number): string => "9".repeat(count);

const csv = ["csv", "tsv"];
const json = ["json", "ndjson"];

/** Floats are some that ClickHouse 18.16 reads exactly. */
export const nastyColumns: Record<string, NastyColumn> = {
  yes: { type: { kind: "boolean" }, values: ["1", "0", null] },
  small: { type: { kind: "int16" }, values: ["-32768", "32767", "0", null] },
  middle: { type: { kind: "int32" }, values: ["-2147483648", "2147483647", null] },
  large: { type: { kind: "int64" }, values: ["-9223372036854775808", "9223372036854775807", "0", null] },
  f: { type: { kind: "float32" }, values: ["0.5", "-1.5", "NaN", "Infinity", "-Infinity", "-0", null] },
  g: { type: { kind: "float64" }, values: ["0.25", "1e-7", "1e308", "NaN", "Infinity", "-Infinity", "-0"] },
  price: { type: decimal(10, 2), values: ["1.50", "-0.01", "12345678.90", "0.00", null] },
  money: { type: decimal(38, 4), values: [`${nines(34)}.9999`, "-0.0001", "0.0000", null] },
  whole: { type: decimal(38, 0), values: [nines(38), `-${nines(38)}`, "0", null] },
  // DuckDB's text of it is `.99`.
  behind: {
    type: decimal(38, 38),
    values: [`0.${nines(38)}`, `-0.${"0".repeat(37)}1`, null],
    known: ["parquet"],
  },
  exact: { type: decimal(null, 0), values: [`${nines(60)}.5`, "-0.10", "NaN", null] },
  t: {
    type: text,
    values: [
      ...["", null, "\\N", "\\\\N", "NULL", "null", "\\.", "\\", "\\x00ff", "\b\f\v\u0001\u001f\u007f"],
      ...["tab\tnew\nline\r\nend\rslash \\ \\t \\n", `"quoted" 'single' \`back\``, '"', "'", '""', "a,b;c|d"],
      ...[" spaces ", "я 🎉 👩‍👩‍👧 ẞ \u2028\u2029\ufeff", "=1+1", "+1", "-1", "@SUM(A1)", "#", "{}[]", "[1]"],
      ...["007", "NaN", "true", "2025-01-31"],
    ],
  },
  code: { type: text, values: ["007", "+79991234567", "-0", "00", "1e5", null] },
  // Taken for numbers: 0, 100000 and 0.5.
  numeral: { type: text, values: ["-0", "1e5", ".5", " 1"], known: csv },
  quoted: { type: text, values: ["'q'", "'r'"] },
  empty: { type: text, values: ["", null] },
  u: { type: { kind: "uuid" }, values: [uuid, "ffffffff-ffff-ffff-ffff-ffffffffffff", null] },
  j: {
    type: { kind: "json" },
    values: ['{"b": 1,  "a": "я\\n\\"\'\\t"}', "null", "[1,2]", '"q"', "-1.5", null],
  },
  // The numbers inside become floats.
  deep: { type: { kind: "json" }, values: ['{"x":0.12345678901234567891}', "1.10", null], known: json },
  b: {
    type: { kind: "bytes" },
    values: ["\\x00ff0a095c22", "\\x", "\\x004142", null],
  },
  day: { type: { kind: "date" }, values: ["1970-01-01", "2105-12-31", "2025-03-30", null] },
  old: { type: { kind: "date" }, values: ["0001-01-01", "9999-12-31", "1969-12-31", null] },
  // Becomes 0044-03-15.
  ancient: { type: { kind: "date" }, values: ["0044-03-15 BC", null], known: json },
  // Becomes 1900-01-01.
  endless: { type: { kind: "date" }, values: ["infinity", "-infinity", "2025-01-31", null], known: json },
  time: { type: { kind: "time" }, values: ["23:59:59.123456", "00:00:00", "24:00:00", "01:02:03.5", null] },
  at: {
    type: { kind: "timestamp", zoned: false },
    values: ["0001-01-01 00:00:00.000001", "2025-03-30 02:30:00", "9999-12-31 23:59:59.5", null],
  },
  // Comes back as text, with `+00` behind it.
  zoned: {
    type: { kind: "timestamp", zoned: true },
    values: ["1969-12-31 23:59:59.999999", "2025-03-30 02:30:00", "9999-12-31 23:59:59", null],
    known: json,
  },
  texts: {
    type: array(text),
    values: ['["",null,"null","a\\"b","\\\\","\\t\\n","я 🎉","\\\\N","a,b","\'"]', "[]", "[null]"],
  },
  numbers: {
    type: array({ kind: "int64" }),
    values: ["[-9223372036854775808,null,9223372036854775807]", "[]"],
  },
  flags: { type: array({ kind: "boolean" }), values: ["[true,false,null]", "[]"] },
  prices: { type: array(decimal(10, 2)), values: ["[1.50,-0.01,null]", "[]"] },
  // As `money`, but in arrays nobody looks even whether digits are lost.
  moneys: {
    type: array(decimal(38, 4)),
    values: [`[${nines(34)}.9999,-0.0001]`, "[]"],
    known: json,
  },
  days: { type: array({ kind: "date" }), values: ['["1970-01-01","2105-12-31",null]', "[]"] },
  uuids: { type: array({ kind: "uuid" }), values: [`["${uuid}",null]`, "[]"] },
  maybe: { type: array({ kind: "int32" }), values: ["[1,2]", null, "[]"] },
};
