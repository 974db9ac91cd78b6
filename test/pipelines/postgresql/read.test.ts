/** Reading: bounds, parameters, what is refused, backpressure, the end of a session. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ReadRequest } from "../../../src/services/pipelines/connect/connector.ts";
import { Session } from "../../../src/services/pipelines/connect/postgresql/wire.ts";
import { hasPostgres } from "../../support/postgres.ts";
import { alone } from "../alone.ts";
import { drain, never, read, type Server, startServer, within } from "./support.ts";

const needsPostgres = hasPostgres ? test : test.skip;
let server: Server;

beforeAll(async () => {
  if (!hasPostgres) return;
  server = await startServer();
  await server.admin.query(`create table numbers (n int primary key, at timestamptz not null, name text);
    insert into numbers select n, timestamptz '2025-01-01 00:00:00+00' + n * interval '1 second', 'it''s \\' || n from generate_series(1, 9) n;
    create index by_name on numbers (name, n); create index by_expression on numbers (lower(name))`);
});
afterAll(async () => await server?.stop());

const firsts = async (request: ReadRequest) =>
  (await read(server.connector(), request))
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t")[0])
    .join("");
/** Sessions that still do something like it. */
const running = (text: string) =>
  server.one(
    `select count(*) from pg_stat_activity where query like '%${text}%' and state <> 'idle' and pid <> pg_backend_pid()`,
  );

needsPostgres("bounds of a cursor are open below and closed above", async () => {
  const table = "numbers";
  expect(await firsts({ table, cursor: { column: "n", after: "3", upTo: "5" } })).toBe("45");
  expect(await firsts({ table, cursor: { column: "n", after: null, upTo: "2" } })).toBe("12");
  expect(
    await firsts({
      table,
      cursor: { column: "at", after: "2025-01-01 00:00:03", upTo: "2025-01-01 00:00:05" },
    }),
  ).toBe("45");
  expect(await firsts({ table, cursor: { column: "name", after: "it's \\3", upTo: "it's \\5" } })).toBe("45");
  const query = "select n, name from numbers where n <> $1 -- the end";
  expect(await firsts({ query, parameters: [5], cursor: { column: "n", after: "3", upTo: "6" } })).toBe("46");
  await expect(firsts({ table, cursor: { column: "other", after: null, upTo: "6" } })).rejects.toMatchObject({
    code: "notFound",
  });
});

needsPostgres("the largest value has the form that a cursor takes", async () => {
  const connector = server.connector();
  const latest = (request: ReadRequest, column: string) => connector.latest(request, column, never());
  expect(await latest({ table: "numbers" }, "at")).toBe("2025-01-01 00:00:09");
  expect(await latest({ query: "select * from numbers where n < $1", parameters: [5] }, "n")).toBe("4");
  expect(await latest({ query: "select 1 as n where false" }, "n")).toBeNull();
  const upTo = (await latest({ table: "numbers" }, "at")) ?? "";
  expect(
    await firsts({ table: "numbers", cursor: { column: "at", after: "2025-01-01 00:00:07", upTo } }),
  ).toBe("89");
});

needsPostgres("parameters are values, whatever they hold", async () => {
  const evil = "x'; drop table numbers; --";
  const query = "select $1::text as a, $2::int as b, $3::boolean as c, $4::text as d";
  expect(await read(server.connector(), { query, parameters: [evil, 5, true, null] })).toBe(
    `${evil}\t5\t1\t\\N\n`,
  );
  await expect(firsts({ query, parameters: [evil] })).rejects.toMatchObject({ code: "refused" });
  const many = {
    query: "select n, $1 || n as v from generate_series(1, 35000) n order by n",
    parameters: ["v"],
  };
  expect((await read(server.connector(), many)).split("\n").at(-2)).toBe("35000\tv35000");
  await expect(
    read(server.connector(), {
      query: "select 1 / (100000 - n) as v from generate_series(1, 200000) n where n > $1",
      parameters: [0],
    }),
  ).rejects.toMatchObject({ code: "refused" });
});

needsPostgres("only a single statement that reads is read", async () => {
  await server.admin.query(
    "create sequence counter; create function writes() returns int language sql as 'insert into numbers values (99, now()) returning n'",
  );
  for (const query of [
    "select 1; drop table numbers",
    "select 1) q; drop table numbers; select * from (select 1",
    "delete from numbers returning n",
    "with gone as (delete from numbers returning n) select * from gone",
    "select nextval('counter')",
    "select writes()",
    "drop table numbers",
    "copy numbers to stdout",
    "select 1 as a, 2 as a",
    "select",
    "",
    "commit",
    "select * from nowhere",
    "select $",
  ])
    await expect(read(server.connector(), { query })).rejects.toMatchObject({ name: "ConnectorError" });
  expect(await server.one("select count(*) from numbers")).toBe("9");
  expect(await read(server.connector(), { query: "with q as (select 1 as a) select * from q;\n ; " })).toBe(
    "1\n",
  );
  await expect(read(server.connector(), { table: "nowhere" })).rejects.toMatchObject({ code: "notFound" });
  await expect(read(server.connector(), {})).rejects.toMatchObject({ code: "refused" });
  expect(await drain(await server.connector({ table: "numbers" }).read({}, never()))).toStartWith("1\t");
});

needsPostgres("the catalogue is told", async () => {
  await server.admin.query(`create domain price as numeric(10,2); create extension if not exists citext;
    create table kinds (a numeric(10,2)[], b price, c citext, d citext[], e inet, f varchar(3) not null, g numeric(5,-2), h bigint)`);
  const connector = server.connector();
  expect(await connector.schema("public.numbers", never())).toEqual({
    columns: [
      { name: "n", type: { kind: "int32" }, nullable: false, nativeType: "integer", primaryKey: true },
      {
        name: "at",
        type: { kind: "timestamp", zoned: true },
        nullable: false,
        nativeType: "timestamp with time zone",
        primaryKey: false,
      },
      { name: "name", type: { kind: "text" }, nullable: true, nativeType: "text", primaryKey: false },
    ],
    rowCount: 9,
    indexes: [
      { name: "by_expression", columns: ["lower(name)"] },
      { name: "by_name", columns: ["name", "n"] },
    ],
  });
  const decimal = { kind: "decimal", precision: 10, scale: 2 } as const;
  const { columns } = await connector.schema("KINDS", never());
  expect(columns.map(({ type, nativeType }) => [nativeType, type])).toEqual([
    ["numeric(10,2)[]", { kind: "array", of: decimal }],
    ["price", decimal],
    ["citext", { kind: "text" }],
    ["citext[]", { kind: "array", of: { kind: "text" } }],
    ["inet", { kind: "text" }],
    ["character varying(3)", { kind: "text" }],
    ["numeric(5,-2)", { kind: "decimal", precision: 7, scale: 0 }],
    ["bigint", { kind: "int64" }],
  ]);
  for (const table of ["nowhere", "nowhere.numbers", "a.b.c", "", "a.", '"a'])
    await expect(connector.schema(table, never())).rejects.toMatchObject({ code: "notFound" });
});

const million =
  "select n, 'a row of some length, number ' || n || repeat('.', 400) as v from generate_series(1, 1000000) n";

needsPostgres("a slow reader holds the server back, and memory stays bounded", async () => {
  const { host, port, database, user, password } = server.options;
  for (const request of [{ query: million }, { query: `${million} where n > $1`, parameters: [0] }]) {
    const { lines, bytes, chunks, peakMemory } = await alone({
      type: "postgresql",
      config: { host, port, database, ssl_mode: "disable" },
      credentials: { username: user, password },
      read: { request, pauses: 20 },
    });
    expect(lines).toBe(1_000_000);
    expect(bytes / chunks).toBeGreaterThan(500_000);
    expect(peakMemory).toBeLessThan(200_000_000);
  }
});

needsPostgres("while nobody reads the server waits", async () => {
  const { chunks } = await server.connector().read({ query: `${million} -- waiting` }, never());
  const iterator = chunks[Symbol.asyncIterator]();
  await iterator.next();
  const waits =
    "select count(*) from pg_stat_activity where query like '%-- waiting%' and wait_event = 'ClientWrite'";
  await within(5_000, async () => (await server.one(waits)) === "1");
  await iterator.return?.();
  await within(2_000, async () => (await running("-- waiting")) === "0");
});

needsPostgres("leaving the loop and an abort end the server's session within 2 s", async () => {
  for await (const chunk of (await server.connector().read({ query: `${million} -- left` }, never())).chunks)
    if (chunk.length > 0) break;
  await within(2_000, async () => (await running("-- left")) === "0");
  for (const request of [
    { query: `${million} -- aborted` },
    { query: "select pg_sleep(60)::text as aborted" },
    { query: "select pg_sleep($1)::text as aborted", parameters: [60] },
  ]) {
    const abort = new AbortController();
    const connector = server.connector();
    const rows = await connector.read(request, abort.signal);
    setTimeout(() => abort.abort(new Error("enough")), 300);
    await expect(
      (async () => {
        for await (const _ of rows.chunks) await Bun.sleep(50);
      })(),
    ).rejects.toThrow("enough");
    await within(2_000, async () => (await running("aborted")) === "0");
  }
});

needsPostgres("a session that the server ends says why, and is over", async () => {
  const session = await Session.open(server.options, never());
  const { rows } = await session.ask("select pg_backend_pid()");
  // Taken at once: the answer may come before anybody waits for it.
  const asked = session.ask("select pg_sleep(60)").catch((error) => error);
  await within(5_000, async () => (await running("sleep(60)")) === "1");
  await server.admin.query(`select pg_terminate_backend(${rows[0]?.[0]})`);
  expect(await asked).toMatchObject({ code: "57P01" });
  expect(session.isClosed).toBe(true);
  await expect(session.ask("select 1")).rejects.toMatchObject({ code: "unreachable" });
});

needsPostgres("a row of 60 MB and notices on the way do no harm", async () => {
  const session = await Session.open(server.options, never());
  await session.query("set client_min_messages = debug1");
  let bytes = 0;
  for await (const chunk of session.copyOut(
    "copy (select repeat('0123456789', 6000000) as v union all select 'x') to stdout",
  ))
    bytes += chunk.length;
  expect(bytes).toBe(60_000_003);
  await session.query("do $$ begin raise notice 'hello'; end $$");
  expect((await session.query("select 1 as a; select 2 as b")).rows).toEqual([["2"]]);
  await expect(session.query("select 1/0")).rejects.toMatchObject({ code: "22012" });
  expect((await session.ask("select $1::text", ["ok"])).columns).toEqual(["text"]);
  await session.close();
});
