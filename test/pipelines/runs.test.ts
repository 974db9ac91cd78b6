/** Pipelines run for real: from PostgreSQL to PostgreSQL, once, in one step, again after a crash; their checks, retries, schedules and cancellation. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { ask, logIn, register } from "../support/accounts.ts";
import { until } from "../support/logger.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

(hasPostgres ? describe : describe.skip)("runs", () => {
  let database: TestPostgres;
  let server: TestServer;
  let token: string;
  let sql: SQL;
  let connector: string;

  beforeAll(async () => {
    [database, server] = await Promise.all([startPostgres(), startTestServer()]);
    await register(server.url, "admin");
    token = (await logIn(server.url, "admin")).body.access_token;
    sql = new SQL({ url: database.url, max: 2 });
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const made = await call("POST", "/connectors", {
      name: "PG",
      type: "postgresql",
      config: { host: hostname, port: Number(port), database: pathname.slice(1), ssl_mode: "disable" },
      credentials: { username, password: decodeURIComponent(password) },
    });
    connector = made.body.id;
    await sql`create table sales (id int primary key, day date not null, amount numeric(10,2) not null, note text)`;
    await sql`insert into sales select n, date '2026-01-01' + n % 10, n, 'note ' || n from generate_series(1, 1000) n`;
  });

  afterAll(async () => {
    await sql.close();
    await server.stop();
    await database.stop();
  });

  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    ask(server.url, method, `/api/v1${path}`, {
      token,
      ...(body === undefined ? {} : { body }),
      ...(headers ? { headers } : {}),
    });

  let count = 0;

  /** Makes a pipeline from `sales` to a table. */
  async function make(table: string, more: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await call("POST", "/pipelines", {
      name: `pipeline ${count++}`,
      sources: [{ connector_id: connector, config: { table: "sales" } }],
      targets: [{ connector_id: connector, config: { table } }],
      ...more,
    });
    expect({ status, body }).toMatchObject({ status: 201 });
    return body.id;
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  async function run(pipeline: string, body: object = {}): Promise<any> {
    const started = await call("POST", `/pipelines/${pipeline}/run`, body);
    expect(started.status).toBe(202);
    return await ended(pipeline, started.body.run_id);
  }

  const ended = (pipeline: string, run: string) =>
    until(async () => {
      const { body } = await call("GET", `/pipelines/${pipeline}/runs/${run}`);
      return ["success", "failed", "cancelled"].includes(body.status) ? body : null;
    });

  const rowsOf = async (table: string): Promise<number> =>
    Number((await sql.unsafe(`select count(*) as count from ${table}`))[0].count);

  test("rows arrive, are measured, and what was told is kept", async () => {
    const pipeline = await make("plain");
    const done = await run(pipeline);
    expect(done).toMatchObject({ status: "success", rows_processed: 1000, attempt: 1 });
    expect(done.metrics).toMatchObject({ rows_extracted: 1000, rows_loaded: 1000 });
    expect(await rowsOf("plain")).toBe(1000);
    const types =
      await sql`select column_name, data_type from information_schema.columns where table_name = 'plain' order by ordinal_position`;
    expect(types.map((row: { data_type: string }) => row.data_type)).toEqual([
      "integer",
      "date",
      "numeric",
      "text",
    ]);
    const { body } = await call("GET", `/pipelines/${pipeline}/runs/${done.id}/logs`);
    expect(body.items.map(({ message }: { message: string }) => message).join("\n")).toContain(
      "1000 rows read",
    );
    const list = await call("GET", "/pipelines");
    const listed = list.body.items.find(({ id }: { id: string }) => id === pipeline);
    expect(listed.last_run).toMatchObject({ id: done.id, status: "success", rows_processed: 1000 });
    expect(await sql`select from pg_tables where tablename like 'quintet_stage%'`).toHaveLength(0);
  });

  test("append appends, replace replaces, merge merges", async () => {
    await run(await make("modes"));
    await run(await make("modes"));
    expect(await rowsOf("modes")).toBe(2000);
    await run(await make("modes", { config: { mode: "replace" } }));
    expect(await rowsOf("modes")).toBe(1000);
    await sql`update modes set note = 'old' where id <= 10`;
    await sql`delete from modes where id > 990`;
    await run(await make("modes", { config: { mode: "merge", key: "id" } }));
    expect(await rowsOf("modes")).toBe(1000);
    expect(await sql`select from modes where note = 'old'`).toHaveLength(0);
  });

  test("a first transformation in SQL is done by the source, with parameters that are bound", async () => {
    const pipeline = await make("by_day", {
      transformations: [
        {
          type: "sql",
          code: "select day, sum(amount) as amount from input where note <> {{ left_out }} group by day",
        },
      ],
    });
    const done = await run(pipeline, { parameters: { left_out: "note 1'; drop table sales; --" } });
    expect(done).toMatchObject({ status: "success", rows_processed: 10 });
    expect(await rowsOf("sales")).toBe(1000);
    const missing = await run(pipeline);
    expect(missing).toMatchObject({ status: "failed", attempt: 1 });
    expect(missing.error.message).toBe("the parameter left_out is not given");
  });

  test("checks that are broken keep the rows from being seen", async () => {
    await sql`create table checked (like sales)`;
    const config = {
      retries: 0,
      checks: [
        { type: "not_null", columns: ["note"] },
        { type: "unique", columns: ["id"] },
        { type: "accepted_range", column: "amount", min: 0, max: 500 },
        { type: "row_count_min", value: 5000 },
        { type: "sql", name: "no tenth", query: "select * from staged where id = 10" },
      ],
    };
    const done = await run(await make("checked", { config }));
    expect(done).toMatchObject({ status: "failed", error: { code: "PIPELINE_EXECUTION_ERROR" } });
    expect(done.error.message).toBe(
      "data-quality checks failed: accepted_range amount (500); row_count_min 5000 (1); no tenth (1)",
    );
    expect(await rowsOf("checked")).toBe(0);
  });

  test("with a cursor only what is new is read", async () => {
    await sql`create table growing (id int primary key, at timestamptz not null)`;
    await sql`insert into growing select n, timestamptz '2026-01-01' + n * interval '1 hour' from generate_series(1, 100) n`;
    const pipeline = await make("grown", {
      sources: [{ connector_id: connector, config: { table: "growing" } }],
      config: { cursor: "at" },
    });
    expect((await run(pipeline)).rows_processed).toBe(100);
    expect((await run(pipeline)).rows_processed).toBe(0);
    await sql`insert into growing select n, timestamptz '2026-01-01' + n * interval '1 hour' from generate_series(101, 107) n`;
    expect((await run(pipeline)).rows_processed).toBe(7);
    expect(await rowsOf("grown")).toBe(107);
  });

  test("a failing run is tried again after a pause, and tells what failed", async () => {
    const pipeline = await make("never", {
      sources: [{ connector_id: connector, config: { query: "select 1 / (id - 500) as x from sales" } }],
      config: { retries: 1, retry_delay_seconds: 0.2 },
    });
    const done = await run(pipeline);
    expect(done).toMatchObject({ status: "failed", attempt: 2 });
    expect(done.error.message).toContain("division by zero");
  });

  test("a run under a key that was used is the first run", async () => {
    const pipeline = await make("keyed");
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        call("POST", `/pipelines/${pipeline}/run`, {}, { "Idempotency-Key": "the same" }),
      ),
    );
    expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
    await ended(pipeline, answers[0]!.body.run_id);
    expect(await rowsOf("keyed")).toBe(1000);
  });

  test("a run is cancelled within moments, and leaves nothing", async () => {
    const pipeline = await make("cancelled", {
      sources: [
        {
          connector_id: connector,
          config: { query: "select n, pg_sleep(0.01)::text as s from generate_series(1, 100000) n" },
        },
      ],
    });
    const { body } = await call("POST", `/pipelines/${pipeline}/run`);
    await until(
      async () => (await call("GET", `/pipelines/${pipeline}/runs/${body.run_id}`)).body.status === "running",
    );
    expect((await call("POST", `/pipelines/${pipeline}/runs/${body.run_id}/cancel`)).status).toBe(202);
    expect(await ended(pipeline, body.run_id)).toMatchObject({ status: "cancelled" });
    await until(
      async () =>
        (
          await sql`select from pg_stat_activity where query like '%generate_series(1, 100000)%' and pid <> pg_backend_pid() and state = 'active'`
        ).length === 0,
    );
    expect(await sql`select from pg_tables where tablename = 'cancelled'`).toHaveLength(0);
    expect((await call("POST", `/pipelines/${pipeline}/runs/${body.run_id}/cancel`)).status).toBe(409);
  });

  test("of one pipeline one run goes on at a time", async () => {
    const slow = {
      sources: [{ connector_id: connector, config: { query: "select pg_sleep(0.5)::text as s" } }],
    };
    const pipeline = await make("one_by_one", slow);
    const runs = await Promise.all(
      Array.from({ length: 3 }, () => call("POST", `/pipelines/${pipeline}/run`)),
    );
    const all = await Promise.all(runs.map(({ body }) => ended(pipeline, body.run_id)));
    const times = all.map(
      ({ started_at, finished_at }) => [Date.parse(started_at), Date.parse(finished_at)] as const,
    );
    const sorted = times.toSorted(([a], [b]) => a - b);
    for (const [index, [start]] of sorted.entries())
      if (index > 0) expect(start).toBeGreaterThanOrEqual(sorted[index - 1]![1]);
    const refusing = await make("refusing", { ...slow, config: { overlap: "refuse" } });
    await call("POST", `/pipelines/${refusing}/run`);
    expect((await call("POST", `/pipelines/${refusing}/run`)).status).toBe(409);
  });

  test("a deployed pipeline runs when its schedule says so, at the version that was deployed", async () => {
    const pipeline = await make("scheduled", { schedule: "* * * * *" });
    expect((await call("POST", `/pipelines/${pipeline}/deploy`)).body).toMatchObject({
      status: "deployed",
      airflow_dag_id: `ai_etl_${pipeline}_v1`,
    });
    await call("PUT", `/pipelines/${pipeline}`, { description: "changed later" });
    const { body } = await call("GET", `/pipelines/${pipeline}`);
    expect(body).toMatchObject({ version: 2, deployed_version: 1, status: "active" });
    await sql`select 1`;
    const items = await until(async () => {
      const { body } = await call("GET", `/pipelines/${pipeline}/runs?status=success`);
      return body.items.length > 0 ? body.items : null;
    }, 90);
    expect(items[0]).toMatchObject({ version: 1, cause: "schedule" });
  });

  test("the socket tells how a run goes, from now to its end", async () => {
    const pipeline = await make("watched");
    const socket = new WebSocket(
      `${server.url.replace("http", "ws")}/ws/pipeline/${pipeline}?token=${token}`,
    );
    // biome-ignore lint/suspicious/noExplicitAny: frames of every shape.
    const frames: any[] = [];
    socket.onmessage = ({ data }) => frames.push(JSON.parse(String(data)));
    await until(() => frames.length > 0);
    expect(frames[0]).toMatchObject({
      type: "pipeline_status",
      pipeline_id: pipeline,
      status: "idle",
      rows_processed: 0,
    });
    const { body } = await call("POST", `/pipelines/${pipeline}/run`);
    await until(() => frames.at(-1)?.status === "success");
    socket.close();
    expect(frames.at(-1)).toMatchObject({ run_id: body.run_id, rows_processed: 1000 });
    const closed = (path: string) =>
      new Promise<number>((resolve) => {
        new WebSocket(`${server.url.replace("http", "ws")}${path}`).onclose = ({ code }) => resolve(code);
      });
    expect(await closed(`/ws/pipeline/${pipeline}?token=nonsense`)).toBe(4001);
    expect(await closed(`/ws/pipeline/pipeline_9999?token=${token}`)).toBe(4404);
  });

  test("secrets in a pipeline are sealed, never shown, and kept when they are not sent again", async () => {
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const config = {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      username,
      password: decodeURIComponent(password),
      ssl_mode: "disable",
    };
    const pipeline = await make("sealed", {
      sources: [{ type: "postgresql", config: { ...config, table: "sales" } }],
    });
    const shown = (await call("GET", `/pipelines/${pipeline}`)).body;
    expect(JSON.stringify(shown)).not.toContain(decodeURIComponent(password));
    expect(shown.sources[0].config.password).toBeUndefined();
    await call("PUT", `/pipelines/${pipeline}`, { sources: shown.sources });
    expect(await run(pipeline)).toMatchObject({ status: "success" });
  });

  test("credentials go nowhere but where they were given for", async () => {
    const heard: string[] = [];
    const thief = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        heard.push(JSON.stringify([...request.headers]));
        return new Response("", { status: 500 });
      },
    });
    const mine = { host: "127.0.0.1", port: 1, table: "t", username: "u", password: "s3cret" };
    const elsewhere = { host: "127.0.0.1", port: Number(thief.port), table: "t" };
    const pipeline = await make("moved", { sources: [{ id: "s", type: "clickhouse", config: mine }] });
    const moved = await call("PUT", `/pipelines/${pipeline}`, {
      sources: [{ id: "s", type: "clickhouse", config: elsewhere }],
    });
    expect(moved.status).toBe(422);
    const { body: kept } = await call("POST", "/connectors", {
      name: "kept",
      type: "clickhouse",
      config: { host: "127.0.0.1", port: 1 },
      credentials: { username: "u", password: "s3cret" },
    });
    const change = (body: object) => call("PUT", `/connectors/${kept.id}`, body);
    expect((await change({ config: elsewhere, credentials: {} })).status).toBe(422);
    expect((await change({ config: elsewhere, credentials: { username: "u" } })).status).toBe(200);
    await call("POST", `/connectors/${kept.id}/test`);
    expect(heard.join()).not.toContain("s3cret");
    heard.length = 0;
    const config = { host: "127.0.0.1", port: 1 };
    await change({ config, credentials: { username: "u", password: "s3cret" } });
    const bent = await call("PUT", `/pipelines/${pipeline}`, {
      sources: [{ id: "s", type: "clickhouse", connector_id: kept.id, config: mine }],
    });
    expect(bent.status).toBe(422);
    const borrowed = await make("borrowed", {
      sources: [{ connector_id: kept.id, config: elsewhere }],
      config: { retries: 0 },
    });
    expect(await run(borrowed)).toMatchObject({ status: "failed" });
    expect(heard).toEqual([]);
    await thief.stop(true);
  });
});
