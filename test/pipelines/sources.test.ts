/** Pipelines that read from several sources: joined in SQL, or one after the other. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { ask, register } from "../support/accounts.ts";
import { until } from "../support/logger.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startTestServer, type TestServer, temporaryDirectory } from "../support/server.ts";

(hasPostgres ? describe : describe.skip)("several sources", () => {
  const files = temporaryDirectory("sources");
  let database: TestPostgres;
  let server: TestServer;
  let token: string;
  let sql: SQL;
  let connector: string;

  beforeAll(async () => {
    [database, server] = await Promise.all([
      startPostgres(),
      startTestServer({ PIPELINES_FILE_ROOTS: files }),
    ]);
    token = await register(server.url, "admin");
    sql = new SQL({ url: database.url, max: 2 });
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const made = await call("POST", "/connectors", {
      name: "PG",
      type: "postgresql",
      config: { host: hostname, port: Number(port), database: pathname.slice(1), ssl_mode: "disable" },
      credentials: { username, password: decodeURIComponent(password) },
    });
    connector = made.body.id;
    await sql`create table sales (id int primary key, shop text not null, amount numeric(10,2) not null)`;
    await sql`insert into sales select n, 'shop ' || n % 3, n from generate_series(1, 9) n`;
    await sql`create table older (id int not null, shop text, amount numeric(10,2) not null)`;
    await sql`insert into older values (-1, 'shop 0', 5), (-2, null, 6)`;
    writeFileSync(join(files, "shops.csv"), "name,city\nshop 0,Пермь\nshop 1,Омск\n");
  });

  afterAll(async () => {
    await sql.close();
    await server.stop();
    await database.stop();
  });

  const call = (method: string, path: string, body?: unknown) =>
    ask(server.url, method, `/api/v1${path}`, { token, ...(body === undefined ? {} : { body }) });

  const table = (name: string, more: Record<string, unknown> = {}) => ({
    connector_id: connector,
    config: { table: name, ...more },
  });
  const shops = { id: "shops", type: "csv", config: { path: join(files, "shops.csv") } };

  let count = 0;
  const make = (target: string, sources: object[], more: Record<string, unknown> = {}) =>
    call("POST", "/pipelines", {
      name: `pipeline ${count++}`,
      sources,
      targets: [table(target)],
      config: { retries: 0 },
      ...more,
    });

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  async function run(pipeline: string): Promise<any> {
    const started = await call("POST", `/pipelines/${pipeline}/run`, {});
    return await until(async () => {
      const { body } = await call("GET", `/pipelines/${pipeline}/runs/${started.body.run_id}`);
      return ["success", "failed"].includes(body.status) ? body : null;
    });
  }
  const made = async (...given: Parameters<typeof make>) => await run((await make(...given)).body.id);

  test("are tables of the first transformation, by their ids; the first is `input` as well", async () => {
    for (const from of ["input", "source_1"]) {
      const code = `select city, sum(amount)::decimal(12,2) as amount from ${from} s join shops on shops.name = s.shop group by city`;
      const transformations = [
        { type: "sql", code },
        { type: "sql", code: "select * from input where amount > 12" },
      ];
      const done = await made(`joined_${from}`, [table("sales"), shops], { transformations });
      expect(done).toMatchObject({ status: "success", metrics: { rows_extracted: 11, rows_loaded: 1 } });
      expect([...(await sql.unsafe(`select * from joined_${from}`))]).toEqual([
        { city: "Пермь", amount: "18.00" },
      ]);
    }
  });

  test("without a transformation their rows follow each other where the columns are the same; what does not go together is refused", async () => {
    const done = await made("all_sales", [table("sales"), table("older")]);
    expect(done).toMatchObject({ status: "success", rows_processed: 11 });
    const [sums] = await sql`select sum(amount) as amount, count(shop)::int as shops from all_sales`;
    expect(sums).toEqual({ amount: "56.00", shops: 10 });
    const other = await made("none", [table("sales"), shops]);
    expect(other).toMatchObject({ status: "failed", attempt: 1 });
    expect(other.error.message).toContain("shops has other columns");
    const transformations = [{ type: "python", code: "df" }];
    const python = await made("none", [table("sales"), shops], { transformations });
    expect(python.error.message).toContain("joined in a SQL transformation");
    expect(await sql`select from pg_tables where tablename = 'none'`).toHaveLength(0);
  });

  test("each has a cursor of its own; the pipeline's is the first one's", async () => {
    const sources = [table("sales"), table("older", { cursor: "id" })];
    const config = { cursor: "id" };
    const { body } = await make("growing", sources, { config });
    expect(await run(body.id)).toMatchObject({ rows_processed: 11 });
    expect(await run(body.id)).toMatchObject({ rows_processed: 0 });
    await sql`insert into older values (100, 'shop 1', 1)`;
    await sql`insert into sales values (10, 'shop 1', 1)`;
    expect(await run(body.id)).toMatchObject({ rows_processed: 2 });
    const [all] = await sql`select count(*)::int as rows, count(distinct id)::int as ids from growing`;
    expect(all).toEqual({ rows: 13, ids: 13 });
  });

  test("how far one came says nothing of another table", async () => {
    const { body } = await make("moved", [table("sales")], {
      config: { cursor: "id", retries: 0 },
    });
    expect((await run(body.id)).rows_processed).toBeGreaterThan(0);
    await sql`create table sold as select * from sales where id <= 3`;
    await call("PUT", `/pipelines/${body.id}`, { sources: [table("sold")] });
    expect(await run(body.id)).toMatchObject({ status: "success", rows_processed: 3 });
  });

  test("what was published in part is gone on with by the same run, whatever its retries are", async () => {
    await sql`create table first (id int, shop text, amount numeric)`;
    await sql`create table second (id int, shop text, amount numeric check (amount < 3))`;
    const config = { cursor: "id", retries: 0 };
    const { body } = await make("first", [table("sales")], {
      config,
      targets: [table("first"), table("second")],
    });
    const { body: asked } = await call("POST", `/pipelines/${body.id}/run`, {});
    const look = async () => (await call("GET", `/pipelines/${body.id}/runs/${asked.run_id}`)).body;
    await until(async () => (await look()).attempt === 1 && (await look()).status === "pending");
    await sql`insert into sales values (50, 'shop 1', 1)`;
    await sql`alter table second drop constraint second_amount_check`;
    await until(async () => (await look()).status === "success", 60);
    const count = (name: string) => sql.unsafe(`select count(*)::int as rows from ${name}`);
    const [[one], [two]] = await Promise.all([count("first"), count("second")]);
    expect(one.rows).toBe(two.rows);
    expect(await run(body.id)).toMatchObject({ status: "success", rows_processed: 1 });
    const [[all], [different]] = await Promise.all([
      count("first"),
      sql`select count(distinct id)::int as rows from first`,
    ]);
    expect(all.rows).toBe(different.rows);
  });

  test("have names that differ", async () => {
    for (const sources of [
      [shops, { ...shops, id: "SHOPS" }],
      [shops, { ...shops, id: "input" }],
      [{ ...shops, id: "source_2" }, table("sales")],
    ])
      expect(await make("none", sources)).toMatchObject({ status: 422 });
  });
});
