import { expect } from "bun:test";
import type { CommonType } from "../../../src/services/pipelines/connect/types.ts";
import { column, sandboxTest, transformed } from "./support.ts";

const texts = [
  "",
  " ",
  "\\\\N",
  "\\\\",
  "a\\tb",
  "a\\nb\\r\\f\\v\\b",
  '"',
  "'",
  ",",
  "NULL",
  "nan",
  "None",
  "🦊é",
  "\u2028\u0085",
  "\0",
  "\\\\n",
  "#x",
];

/** Fields as they travel, thus escaped; every column also gets a NULL. */
const cases: { type: CommonType; fields: string[] }[] = [
  { type: { kind: "boolean" }, fields: ["1", "0"] },
  { type: { kind: "int16" }, fields: ["-32768", "32767"] },
  { type: { kind: "int32" }, fields: ["-2147483648", "2147483647", "0"] },
  { type: { kind: "int64" }, fields: ["9223372036854775807", "-9223372036854775808", "9007199254740993"] },
  { type: { kind: "float32" }, fields: ["0.1", "3.4028235e+38", "1e-45", "-0", "16777216", "Infinity"] },
  { type: { kind: "float32" }, fields: ["NaN", "0.1"] },
  {
    type: { kind: "float64" },
    fields: [
      "0.1",
      "1e+15",
      "1.234567890123456e+15",
      "-1.5e+15",
      "999999999999999",
      "1e-05",
      "0.0001",
      "-0",
      "5e-324",
      "1.7976931348623157e+308",
      "-Infinity",
    ],
  },
  { type: { kind: "float64" }, fields: ["NaN", "Infinity", "1"] },
  {
    type: { kind: "decimal", precision: null, scale: 0 },
    fields: [
      "1.10",
      "0.00",
      "-0.000000000000000000001",
      "NaN",
      `${"9".repeat(60)}.${"1".repeat(40)}`,
      "100000",
    ],
  },
  { type: { kind: "decimal", precision: 10, scale: 2 }, fields: ["99999999.99", "-0.01", "1.50"] },
  { type: { kind: "text" }, fields: texts },
  { type: { kind: "uuid" }, fields: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] },
  {
    type: { kind: "json" },
    fields: ['{"a": [1.0, "\\\\n"],  "я":null}', "null", '"x"', "12345678901234567890.10"],
  },
  { type: { kind: "bytes" }, fields: ["\\\\x", "\\\\x00ff5c0a09"] },
  { type: { kind: "date" }, fields: ["2025-01-31", "1970-01-01", "1700-02-28"] },
  {
    type: { kind: "date" },
    fields: ["0001-01-01", "9999-12-31", "2025-01-31", "infinity", "10000-01-01", "0044-03-15 BC"],
  },
  { type: { kind: "time" }, fields: ["23:59:59.123456", "00:00:00", "12:30:00.5", "24:00:00"] },
  {
    type: { kind: "timestamp", zoned: false },
    fields: [
      "2025-01-31 23:59:59.123456",
      "2025-01-31 00:00:00",
      "1969-12-31 23:59:59.5",
      "2025-01-31 23:59:59.123456789",
    ],
  },
  {
    type: { kind: "timestamp", zoned: false },
    fields: [
      "1600-01-01 00:00:00.000001",
      "9999-12-31 23:59:59.999999",
      "-infinity",
      "2025-01-01 00:00:00.5",
    ],
  },
  { type: { kind: "timestamp", zoned: true }, fields: ["2025-01-31 23:59:59.123456", "2025-01-31 00:00:00"] },
  { type: { kind: "timestamp", zoned: true }, fields: ["0001-01-01 00:00:00", "2262-04-12 00:00:00.25"] },
  {
    type: { kind: "array", of: { kind: "int64" } },
    fields: ["[]", "[1,null,9223372036854775807]", "[[1],[2]]"],
  },
  {
    type: { kind: "array", of: { kind: "decimal", precision: null, scale: 0 } },
    fields: ["[1.10,null,100]", '["NaN"]'],
  },
  { type: { kind: "array", of: { kind: "float64" } }, fields: ['[0.1,1e+15,"NaN","-Infinity"]'] },
  { type: { kind: "array", of: { kind: "boolean" } }, fields: ["[true,false,null]"] },
  {
    type: { kind: "array", of: { kind: "text" } },
    fields: ['["a\\\\n\\\\"b\\\\"","","\\\\\\\\N",null,"🦊"]', '["NaN"]'],
  },
];

const code = "def transform(df): return df";

for (const { type, fields } of cases)
  sandboxTest(`${JSON.stringify(type)} ${fields[0]}… goes through unchanged`, async () => {
    const columns = [column("v", type)];
    for (const own of [fields, [...fields, "\\N"], ["\\N"], []]) {
      const text = own.map((field) => `${field}\n`).join("");
      expect(await transformed(code, columns, text)).toEqual({ columns, text });
    }
  });

sandboxTest("all types beside each other, over several batches", async () => {
  const columns = cases.map(({ type }, index) => column(`c${index}`, type));
  const line = (row: number) =>
    cases.map(({ fields }) => [...fields, "\\N"][row % (fields.length + 1)]).join("\t");
  const text = Array.from({ length: 40_000 }, (_, row) => `${line(row)}\n`).join("");
  const result = await transformed(code, columns, text, { limits: { memoryBytes: 6 * 1024 ** 3 } });
  expect(result.columns).toEqual(columns);
  expect(Bun.hash(result.text)).toBe(Bun.hash(text));
});

sandboxTest("odd moments after many usual ones", async () => {
  const columns = [column("d", { kind: "date" }), column("t", { kind: "timestamp", zoned: true })];
  const text = `${"2025-01-31\t2025-01-31 01:02:03.25\n".repeat(200_000)}infinity\t0001-01-01 00:00:00\n`;
  const result = await transformed(code, columns, text);
  expect(result.columns).toEqual(columns);
  expect(Bun.hash(result.text)).toBe(Bun.hash(text));
});

sandboxTest("invalid UTF-8 goes through too", async () => {
  const { transformWithPython } = await import("../../../src/services/pipelines/run/python/transform.ts");
  const bytes = Buffer.from([0xff, 0xfe, 0x0a]);
  const chunks = (async function* () {
    yield bytes;
  })();
  const options = { directory: "/tmp", signal: AbortSignal.timeout(20_000) };
  const result = await transformWithPython({ columns: [column("v", "text")], chunks }, "df", options);
  const read = await Array.fromAsync(result.chunks);
  expect(Buffer.concat(read).equals(bytes)).toBe(true);
});

sandboxTest("a column whose values do not fit any more gets the type of its values", async () => {
  const columns = [
    column("i", { kind: "int16" }),
    column("u", { kind: "uuid" }),
    column("d", { kind: "date" }),
  ];
  const changed = "df['i'] *= 1000\ndf['u'] = df['u'].str[:3]\ndf['d'] += pd.Timedelta(hours=1)";
  const result = await transformed(
    changed,
    columns,
    "32767\ta0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\t2025-01-01\n",
  );
  expect(result.columns.map(({ type }) => type.kind)).toEqual(["int64", "text", "timestamp"]);
  expect(result.text).toBe("32767000\ta0e\t2025-01-01 01:00:00\n");
});
