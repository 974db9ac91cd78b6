/** Values that others break, PostgreSQL → PostgreSQL, compared byte for byte. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { hasPostgres } from "../../support/postgres.ts";
import { never, read, type Server, startServer, write } from "./support.ts";

const needsPostgres = hasPostgres ? test : test.skip;
let server: Server;

beforeAll(async () => {
  if (hasPostgres) server = await startServer();
});
afterAll(async () => await server?.stop());

const hundredDigits = `${"1234567890".repeat(9)}.${"9876543210"}`;
const controls = Array.from({ length: 31 }, (_, index) => `chr(${index + 1})`).join(" || ");
const allBytes = `decode('${Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join("")}', 'hex')`;

/** A type, and values of it as SQL. */
const samples: Record<string, string[]> = {
  boolean: ["true", "false", "null"],
  smallint: ["-32768", "32767", "null"],
  integer: ["-2147483648", "2147483647"],
  bigint: ["-9223372036854775808", "9223372036854775807"],
  "numeric(10,2)": ["12345678.90", "-0.01", "'NaN'"],
  numeric: [hundredDigits, `-0.${"0".repeat(99)}1`, "'NaN'", "1.10", "'Infinity'"],
  real: ["0.1", "'NaN'", "'-Infinity'", "1e-45", "16777217"],
  "double precision": [
    "0.1",
    "0.30000000000000004",
    "5e-324",
    "1.7976931348623157e308",
    "'Infinity'",
    "'-0'",
  ],
  text: [
    "''",
    "null",
    String.raw`'\N'`,
    String.raw`'a\b\\c\t'`,
    String.raw`'\.'`,
    String.raw`E'tab\there\nline\r\nend'`,
    "'🙂👩‍👩‍👧 \u2028\u2029 \ufeff ẞ'",
    controls,
    "chr(127) || chr(128) || chr(159)",
    "repeat('x\\', 700000)",
    `'"quoted", ''single'''`,
  ],
  "varchar(5)": ["'абвгд'", "''"],
  "character(5)": ["'ab'", "''"],
  name: ["'some_name'"],
  uuid: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "null"],
  json: [String.raw`'{"b": 1,  "a": "\u0000\u00e9", "a": 2}'`, "'null'", `'"text"'`, "null"],
  jsonb: [String.raw`'{"b": 1, "a": "\u00e9\n\\"}'`, "'[1e400, 1.10]'", "'null'"],
  bytea: [allBytes, "''", "null"],
  date: ["'2025-01-31'", "'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'"],
  time: ["'23:59:59.123456'", "'24:00:00'", "'00:00:00'"],
  timestamp: [
    "'2025-01-31 23:59:59.123456'",
    "'4713-01-01 00:00:00 BC'",
    "'infinity'",
    "'294276-12-31 23:59:59.999999'",
  ],
  timestamptz: [
    "'2025-01-31 23:59:59.1+14'",
    "'2025-07-01 00:00:00.000001 Europe/Moscow'",
    "'-infinity'",
    "'0001-01-01 00:00:00+00 BC'",
  ],
  "integer[]": ["'{1,null,-3}'", "'{}'", "null", "'{{1,2},{3,null}}'"],
  "bigint[]": ["'{9223372036854775807}'"],
  "numeric[]": [`array[${hundredDigits}, 'NaN', null]`],
  "double precision[]": ["'{0.1,NaN,Infinity,-Infinity,5e-324}'"],
  "boolean[]": ["'{t,f,null}'"],
  "text[]": [
    String.raw`array['', null, 'NULL', 'null', '"', '''', '\', 'a,b', '{}', E'\t\n', '🙂', '\N', E'\u2028']`,
    "'{{a,b},{c,d}}'",
    `array[${controls}]`,
  ],
  "uuid[]": ["array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null]::uuid[]"],
  "jsonb[]": [String.raw`array['{"a": "\"x\""}', null, '[1, 2]', '"s"', 'null']::jsonb[]`],
  "bytea[]": [`array[${allBytes}, null]`],
  "date[]": ["'{2025-01-31,infinity,0044-03-15 BC}'"],
  "timestamp[]": ["'{2025-01-31 23:59:59.5,null,infinity}'"],
  "timestamptz[]": ["'{2025-01-31 23:59:59.5+03,null,-infinity}'"],
  inet: ["'10.0.0.1/8'"],
  interval: ["'1 year 2 mons -3 days 04:05:06.7'"],
  money: ["'12.50'"],
  xml: ["'<a>&amp;</a>'"],
  int4range: ["'[1,10)'", "'empty'"],
};

const native = /^(inet|interval|money|xml|int4range|jsonb|character|varchar|name)/;

needsPostgres("a table that is copied into a new one holds the same values", async () => {
  const connector = server.connector();
  for (const [index, [type, values]] of Object.entries(samples).entries()) {
    await server.admin.query(`drop table if exists "from"; create table "from" (n int, v ${type})`);
    for (const [n, value] of values.entries())
      await server.admin.query(`insert into "from" values (${n}, (${value})::${type})`);
    const rows = await connector.read({ table: "from" }, never());
    const staged = await connector.stage(write("to"), rows, `new${index}`, never());
    await staged.publish();
    // As text: types that have no common one have become text.
    const cast =
      native.test(type) && !type.endsWith("[]")
        ? (column: string) => `format('%s', ${column})`
        : (column: string) => `${column}::text`;
    const kept = (await server.admin.query(`select n, v is null, ${cast("v")} from "from" order by n`)).rows;
    const found = (await server.admin.query(`select n, v is null, ${cast("v")} from "to" order by n`)).rows;
    expect({ type, found }).toEqual({ type, found: kept });
    await server.admin.query('drop table "to"');
  }
});

needsPostgres(
  "a table that is copied into one like it holds the same values, also through bound parameters",
  async () => {
    const connector = server.connector();
    for (const [index, [type, values]] of Object.entries(samples).entries()) {
      await server.admin.query(
        `drop table if exists "from", "to"; create table "from" (n int, v ${type}); create table "to" (like "from")`,
      );
      for (const [n, value] of values.entries())
        await server.admin.query(`insert into "from" values (${n}, (${value})::${type})`);
      const byCopy = await read(connector, { query: 'select * from "from" order by n' });
      const request = { query: 'select * from "from" where n >= $1 order by n', parameters: [0] };
      expect({ type, text: await read(connector, request) }).toEqual({ type, text: byCopy });
      const rows = await connector.read(request, never());
      await (await connector.stage(write("to"), rows, `like${index}`, never())).publish();
      const all = (table: string) => server.admin.query(`select * from "${table}" order by n`);
      expect({ type, rows: (await all("to")).rows }).toEqual({ type, rows: (await all("from")).rows });
      expect(await read(connector, { query: 'select * from "to" order by n' })).toBe(byCopy);
    }
  },
);

needsPostgres("values have the common form", async () => {
  await server.admin.query(`set time zone 'UTC'`);
  const one = async (sql: string) =>
    (await read(server.connector(), { query: `select ${sql} as v` })).replace(/\n$/, "");
  expect(await one("true")).toBe("1");
  expect(await one("null::boolean")).toBe("\\N");
  expect(await one("timestamptz '2025-01-31 23:59:59.5+03'")).toBe("2025-01-31 20:59:59.5");
  expect(await one(String.raw`'\N'`)).toBe("\\\\N");
  expect(await one("'\\x00ff'::bytea")).toBe("\\\\x00ff");
  expect(await one("array[1.50, null]")).toBe("[1.50,null]");
  expect(await one("array[true, false]")).toBe("[true,false]");
  expect(await one("array[timestamptz '2025-01-31 00:00:00+01']")).toBe('["2025-01-30 23:00:00"]');
  expect(await one("array[date '2025-01-31']")).toBe('["2025-01-31"]');
  expect(await one("array['a\"']")).toBe('["a\\\\""]');
  expect(await one("0.1::real")).toBe("0.1");
});

needsPostgres("names may hold anything", async () => {
  const [schema, table, columns] = [
    'Схема "1".x',
    'таб"лица; drop',
    ['Столбец "a"', "b c", "q", "c1", "select"],
  ];
  const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
  await server.admin.query(`create schema ${quote(schema)};
    create table ${quote(schema)}.${quote(table)} (${columns.map((name) => `${quote(name)} text not null`).join(", ")}, primary key (${quote(columns[0]!)}), unique (${quote(columns[1]!)}));
    insert into ${quote(schema)}.${quote(table)} values ('1', '2', '3', '4', '5')`);
  const connector = server.connector({ schema });
  const request = { table: quote(table), cursor: { column: columns[0]!, after: "0", upTo: "1" } };
  const rows = await connector.read(request, never());
  expect(rows.columns.map(({ name }) => name)).toEqual(columns);
  const target = `${quote(schema)}.${quote('цель "2"')}`;
  await (
    await connector.stage(write(target, { mode: "merge", key: [columns[0]!] }), rows, "имя 'x\"", never())
  ).publish();
  expect(await read(connector, { table: target })).toBe("1\t2\t3\t4\t5\n");
  const { indexes, columns: told, rowCount } = await connector.schema(quote(table), never());
  expect({
    rowCount,
    key: told.map(({ primaryKey }) => primaryKey),
    indexed: indexes.map(({ columns }) => columns),
  }).toEqual({
    rowCount: 1,
    key: [true, false, false, false, false],
    indexed: [[columns[1]!]],
  });
});
