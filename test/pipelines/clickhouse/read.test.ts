import { afterAll, beforeAll, expect } from "bun:test";
import { clickhouse } from "../../../src/services/pipelines/connect/clickhouse/connector.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../../support/clickhouse.ts";
import { connectorTo, never, testWithClickHouse as test, textOf } from "./connection.ts";

let server: TestClickHouse;
beforeAll(async () => {
  if (hasClickHouse) server = await startClickHouse();
});
afterAll(() => server?.stop());

const to = () => connectorTo(server);

test("a test says how far it got", async () => {
  const good = await to().test(never);
  expect([good.connectionEstablished, good.queryExecutionSuccessful, good.error]).toEqual([true, true, null]);
  expect(good.latency).toBeGreaterThan(0);

  const { host, port, username } = server;
  const wrong = clickhouse({ config: { host, port }, credentials: { username, password: "s3cret" } });
  const refused = await wrong.test(never);
  expect([refused.connectionEstablished, refused.authenticationSuccessful]).toEqual([true, false]);
  expect(refused.error).not.toContain(username);
  expect(refused.error).not.toContain("s3cret");

  const nobody = clickhouse({ config: { host, port: 1 }, credentials: { username, password: "s3cret" } });
  const unreachable = await nobody.test(never);
  expect([unreachable.connectionEstablished, unreachable.latency]).toEqual([false, null]);
  expect(unreachable.error).toContain("cannot be reached");
  expect(() => clickhouse({ config: { host: "a@b/c" }, credentials: {} })).toThrow("not valid");
});

test("a schema has columns, keys and the row count", async () => {
  await server.query(
    "CREATE TABLE goods (id UInt32, name Nullable(String), price Decimal(10, 2), d Date, a Array(Int8)) ENGINE = MergeTree ORDER BY (id, d)",
  );
  await server.query(
    "INSERT INTO goods VALUES (1, 'a', 1.5, '2025-01-01', [1]), (2, NULL, 2, '2025-01-01', [])",
  );
  const schema = await to().schema("default.goods", never);
  expect(schema.rowCount).toBe(2);
  expect(schema.indexes).toEqual([{ name: "sorting key", columns: ["id", "d"] }]);
  expect(schema.columns[0]).toEqual({
    name: "id",
    type: { kind: "int64" },
    nullable: false,
    nativeType: "UInt32",
    primaryKey: true,
  });
  expect(schema.columns.map(({ type }) => type.kind)).toEqual(["int64", "text", "decimal", "date", "array"]);
  expect(schema.columns[1]?.nullable).toBe(true);
  expect((await to().schema("system.one", never)).rowCount).toBe(1);
  await expect(to().schema("nothing", never)).rejects.toMatchObject({ code: "notFound" });
});

test("every type is read in its canonical form", async () => {
  await server.query(`CREATE TABLE forms (i UInt8, big UInt64, f Nullable(Float64), g Float32, d Decimal(38, 5), s String,
    fixed FixedString(4), u UUID, day Nullable(Date), at DateTime, elsewhere DateTime('America/New_York'), e Enum8('it\\'s' = 1),
    a Array(Nullable(String)), n Array(Array(Int8)), r Array(Float64)) ENGINE = Memory`);
  await server.query(`INSERT INTO forms SELECT 255, 18446744073709551615, nan, -inf, toDecimal128('-1.5', 5), 'it\\'s\\t\\n\\\\N \\x0b',
    'ab', toUUID('00112233-4455-6677-8899-aabbccddeeff'), toDate(0), toDateTime('2025-01-31 20:59:59', 'UTC'), toDateTime(0), 'it\\'s',
    ['q"\\'\\\\\\n\\x01я', NULL], [[1, 2], []], [1.5, nan]`);
  await server.query(`INSERT INTO forms (f, g, e, day) VALUES (NULL, 1e-7, 'it\\'s', NULL)`);
  const stream = await to().read({ query: "SELECT * FROM forms ORDER BY i DESC;" }, never);
  const [first, second] = (await textOf(stream)).split("\n");
  expect(first?.split("\t")).toEqual([
    "255",
    "18446744073709551615",
    "NaN",
    "-Infinity",
    "-1.50000",
    "it's\\t\\n\\\\N \\v",
    "ab",
    "00112233-4455-6677-8899-aabbccddeeff",
    "1970-01-01",
    "2025-01-31 20:59:59",
    "1970-01-01 00:00:00",
    "it's",
    '["q\\\\"\'\\\\\\\\\\\\n\\\\u0001я",null]',
    "[[1,2],[]]",
    '[1.5,"NaN"]',
  ]);
  expect(second?.split("\t").slice(2, 4)).toEqual(["\\N", "1e-7"]);
  expect(second?.split("\t")[8]).toBe("\\N");
});

test("a cursor takes what is above the last value, up to the latest", async () => {
  await server.query("CREATE TABLE events (at DateTime, id Int32, name String) ENGINE = Log");
  const request = { table: "events" };
  expect(await to().latest?.(request, "at", never)).toBeNull();
  await server.query(
    "INSERT INTO events SELECT toDateTime('2025-01-31 22:00:00', 'UTC') + number, number - 5, concat('it\\'s ', toString(number)) FROM numbers(10)",
  );
  const upTo = (await to().latest?.(request, "at", never)) ?? "";
  expect(upTo).toBe("2025-01-31 22:00:09");
  const read = async (cursor: { column: string; after: string | null; upTo: string }) =>
    (
      await textOf(
        await to().read({ query: "SELECT id, at, name FROM events ORDER BY at -- all", cursor }, never),
      )
    )
      .split("\n")
      .slice(0, -1)
      .map((line) => Number(line.split("\t")[0]));
  expect(await read({ column: "at", after: "2025-01-31 22:00:06", upTo })).toEqual([2, 3, 4]);
  expect(await read({ column: "id", after: null, upTo: "-4" })).toEqual([-5, -4]);
  expect(await read({ column: "name", after: "it's 7", upTo: "it's 8" })).toEqual([3]);
  await expect(to().latest?.(request, "nothing", never)).rejects.toMatchObject({ code: "schema" });
});

test("parameters are values, whatever they hold", async () => {
  const nasty = "\\' OR 1 = 1 -- \t\n`\\N я 🎉";
  const query = "SELECT $1 AS a, $2 AS b, '$1' AS c, $3 AS d";
  const stream = await to().read({ query, parameters: [nasty, -7, null] }, never);
  expect(stream.columns.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
  expect(await textOf(stream)).toBe("\\\\' OR 1 = 1 -- \\t\\n`\\\\N я 🎉\t-7\t$1\t\\N\n");
  await expect(to().read({ query: "DROP TABLE goods" }, never)).rejects.toMatchObject({ code: "refused" });
});

test("a failure in the middle of an answer is a failure, and a row that reads like one is a row", async () => {
  for (const list of ["number, throwIf(number = 3000000)", "throwIf(number = 3000000)"]) {
    const reading = async () =>
      textOf(await to().read({ query: `SELECT ${list} FROM system.numbers LIMIT 5000000` }, never));
    await expect(reading()).rejects.toThrow("throwIf");
  }
  const message = "Code: 60, e.displayText() = DB::Exception: it, e.what() = DB::Exception";
  for (const query of ["SELECT $1 AS a", "SELECT $1 AS a, 1 AS b", "SELECT 1 AS b, $1 AS a"])
    expect(await textOf(await to().read({ query, parameters: [message] }, never))).toContain(message);
});

const running = async () =>
  Number(
    await server.query(
      "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%processes%'",
    ),
  );

async function untilNothingRuns(): Promise<number> {
  const begun = performance.now();
  while ((await running()) > 0 && performance.now() - begun < 10_000) await Bun.sleep(20);
  return performance.now() - begun;
}

test("aborting ends the query at the server within 2 seconds", async () => {
  const controller = new AbortController();
  const reason = new Error("cancelled");
  const query = "SELECT count() AS a, 1 AS b FROM system.numbers";
  const reading = (async () => textOf(await to().read({ query }, controller.signal)))();
  while ((await running()) === 0) await Bun.sleep(10);
  controller.abort(reason);
  const begun = performance.now();
  await expect(reading).rejects.toBe(reason);
  await reading.catch(() => {});
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(await untilNothingRuns()).toBeLessThan(2_000);
});

test("leaving a stream ends its query", async () => {
  const stream = await to().read({ query: "SELECT number, 'some text' AS t FROM system.numbers" }, never);
  for await (const chunk of stream.chunks) {
    expect(chunk.length).toBeGreaterThan(500_000);
    break;
  }
  expect(await untilNothingRuns()).toBeLessThan(2_000);
});
