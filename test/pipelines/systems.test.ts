/** Runs between systems, with transformations in SQL and Python on the way. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { ask, logIn, register } from "../support/accounts.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { until } from "../support/logger.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startTestServer, type TestServer, temporaryDirectory } from "../support/server.ts";

const hasPython = (await Bun.file("/usr/bin/bwrap").exists()) || process.env.CI === "true";

(hasPostgres && hasClickHouse ? describe : describe.skip)("from PostgreSQL to ClickHouse", () => {
  const roots = temporaryDirectory("files");
  let database: TestPostgres;
  let house: TestClickHouse;
  let server: TestServer;
  let token: string;
  let sql: SQL;
  let [from, to] = ["", ""];

  beforeAll(async () => {
    [database, house, server] = await Promise.all([
      startPostgres(),
      startClickHouse(),
      startTestServer({ PIPELINES_FILE_ROOTS: roots }),
    ]);
    await register(server.url, "admin");
    token = (await logIn(server.url, "admin")).body.access_token;
    sql = new SQL({ url: database.url, max: 2 });
    const { hostname, port, username, password, pathname } = new URL(database.url);
    from = await connector("postgresql", {
      config: { host: hostname, port: Number(port), database: pathname.slice(1), ssl_mode: "disable" },
      credentials: { username, password: decodeURIComponent(password) },
    });
    to = await connector("clickhouse", {
      config: { host: house.host, port: house.port, database: "default" },
      credentials: { username: house.username, password: house.password },
    });
    await sql`create table transactions (id int primary key, day date not null, amount numeric(10,2) not null, note text)`;
    await sql`insert into transactions select n, date '2026-01-01' + n % 5, n - 10, case when n % 3 = 0 then null else 'тест' || chr(9) || n end
      from generate_series(1, 1000) n`;
  });

  afterAll(async () => {
    await sql.close();
    await server.stop();
    await house.stop();
    await database.stop();
  });

  const call = (method: string, path: string, body?: unknown) =>
    ask(server.url, method, `/api/v1${path}`, { token, ...(body === undefined ? {} : { body }) });

  async function connector(type: string, more: object): Promise<string> {
    const { body } = await call("POST", "/connectors", { name: type, type, ...more });
    const tested = await call("POST", `/connectors/${body.id}/test`);
    expect(tested.body).toMatchObject({ test_status: "success", latency_ms: expect.any(Number) });
    return body.id;
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  async function run(table: string, more: object = {}): Promise<any> {
    const { body } = await call("POST", "/pipelines", {
      name: table,
      sources: [{ connector_id: from, config: { table: "transactions" } }],
      targets: [{ connector_id: to, config: { table } }],
      ...more,
    });
    const started = await call("POST", `/pipelines/${body.id}/run`);
    return await until(async () => {
      const { body: found } = await call("GET", `/pipelines/${body.id}/runs/${started.body.run_id}`);
      return ["success", "failed"].includes(found.status) ? found : null;
    }, 60);
  }

  test("rows go over as they are", async () => {
    const done = await run("plain");
    expect({ status: done.status, error: done.error?.message }).toEqual({ status: "success" } as never);
    expect((await house.query("select count(), sum(id), countIf(note is null) from plain")).trim()).toBe(
      "1000\t500500\t333",
    );
    expect((await house.query("select note from plain where id = 1 format TabSeparated")).trim()).toBe(
      "тест\\t1",
    );
  });

  test("grouped by the source on the way", async () => {
    const code = "select day, sum(amount)::numeric(18, 2) as amount from input where amount > 0 group by day";
    const done = await run("by_day", { transformations: [{ type: "sql", code }] });
    expect(done).toMatchObject({ status: "success", rows_processed: 5 });
    const total = Number((await house.query("select toFloat64(sum(amount)) from by_day")).trim());
    expect(total).toBe((990 * 991) / 2);
  });

  test("sums and arrays of the source are numbers and arrays, also when more is appended", async () => {
    const code = `select day, sum(amount) as total, avg(amount) as mean, array_agg(note order by id) as notes, array_agg(id order by id) as ids,
      array_agg(amount > 0 order by id) as flags, array_agg(day) as days, array_agg(day::timestamp) as instants from input group by day`;
    const targets = [{ connector_id: to, config: { table: "gathered" }, mode: "append" }];
    for (const times of [1, 2]) {
      const more = { transformations: [{ type: "sql", code }], targets };
      const done = await run(`gathered ${times}`, more);
      expect({ status: done.status, error: done.error?.message }).toEqual({ status: "success" } as never);
      const sums = await house.query(
        "select count(), toInt64(sum(total)), sum(length(ids)), sum(arrayCount(x -> ifNull(x = 1, 0), flags)) from gathered",
      );
      expect(sums.trim()).toBe([5 * times, 490_500 * times, 1000 * times, 990 * times].join("\t"));
    }
    const types = await house.query(
      "select groupArray(type) from (select type from system.columns where table = 'gathered')",
    );
    expect(types.trim()).toBe(
      "['Date','Nullable(Decimal(38, 18))','Nullable(Decimal(38, 18))','Array(Nullable(String))','Array(Nullable(Int32))','Array(Nullable(UInt8))','Array(Nullable(Date))','Nullable(String)']",
    );
    const first = await house.query(
      "select distinct toFloat64(total), toFloat64(mean), arraySlice(notes, 1, 3), arraySlice(ids, -1), days[1], instants like '[\"2026-%\"]' from gathered where day = '2026-01-02'",
    );
    expect(first.trim()).toBe("97700\t488.5\t['тест\\t1',NULL,'тест\\t11']\t[996]\t2026-01-02\t1");
  });

  test("sums and arrays go there and back", async () => {
    const code = `select id, day, sum(amount) as total, array_agg(note || '"''\\') || array[null, '', E'\n\t', '{"a":[1]}'] as notes,
      array[array[id], array[null::int]] as grid, array[amount, -0.01]::numeric(10,2)[] as amounts, array[day, null] as days from input group by id, day, amount`;
    const made = await run("there", { transformations: [{ type: "sql", code }] });
    expect({ status: made.status, error: made.error?.message }).toEqual({ status: "success" } as never);
    const back = await run("back", {
      sources: [{ connector_id: to, config: { table: "there" } }],
      targets: [{ connector_id: from, config: { table: "back" } }],
    });
    expect({ status: back.status, error: back.error?.message }).toEqual({ status: "success" } as never);
    const [same] = await sql.unsafe(
      `select count(*)::int as n from back join (${code.replace("input", "transactions")}) as was using (id, day)
        where back.total = was.total and back.notes = was.notes and back.grid::jsonb = to_jsonb(was.grid) and back.amounts::text[] = was.amounts::text[] and back.days = was.days`,
    );
    expect(same.n).toBe(1000);
  });

  test("a range with fractions holds for decimals too", async () => {
    const check = (max: number) => ({
      config: { retries: 0, checks: [{ type: "accepted_range", column: "amount", min: -9.5, max }] },
    });
    expect(await run("ranged", check(990.5))).toMatchObject({ status: "success" });
    const broken = await run("ranged too narrowly", check(980.5));
    expect(broken.error.message).toContain("accepted_range amount (10)");
  });

  test("in DuckDB where the source cannot", async () => {
    const transformations = [
      { type: "sql", code: "select * from input where amount > 0" },
      {
        type: "sql",
        code: "select day, list(id order by id)[1] as first, count(*) as n from input group by day",
      },
    ];
    const done = await run("duck", { transformations });
    expect({ status: done.status, error: done.error?.message }).toEqual({ status: "success" } as never);
    expect((await house.query("select sum(n), min(first) from duck")).trim()).toBe("990\t11");
  });

  (hasPython ? test : test.skip)("in Python, as the document shows it", async () => {
    const done = await run("python", {
      transformations: [
        { type: "python", code: "def transform(df): return df[df['amount'] > 0]" },
        { type: "python", code: "df.groupby('day').agg({'amount': 'sum'})" },
      ],
    });
    expect({ status: done.status, error: done.error?.message }).toEqual({ status: "success" } as never);
    expect((await house.query("select count() from python")).trim()).toBe("5");
    // Python alone takes longer to start.
    expect(done.metrics.transformation_time_ms).toBeGreaterThan(50);
    const broken = await run("broken", {
      transformations: [{ type: "python", code: "def transform(df):\n    return df['nothing']" }],
      config: { retries: 0 },
    });
    expect(broken.status).toBe("failed");
    expect(broken.error.message).toContain("KeyError");
    expect((await house.query("exists table broken")).trim()).toBe("0");
  });

  test("into a file, and from it into ClickHouse", async () => {
    const written = await run("out.csv", {
      targets: [{ type: "csv", config: { path: join(roots, "out.csv") } }],
    });
    expect({ status: written.status, error: written.error?.message }).toEqual({ status: "success" } as never);
    const read = await run("from_file", {
      sources: [{ type: "csv", config: { path: join(roots, "out.csv") } }],
    });
    expect({ status: read.status, error: read.error?.message }).toEqual({ status: "success" } as never);
    expect((await house.query("select count(), countIf(note is null) from from_file")).trim()).toBe(
      "1000\t333",
    );
    const outside = await run("outside", {
      sources: [{ type: "csv", config: { path: "/etc/passwd" } }],
      config: { retries: 0 },
    });
    expect(outside).toMatchObject({ status: "failed", error: { code: "CONNECTOR_ERROR" } });
  });
});
