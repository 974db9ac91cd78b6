/** Two servers on one database share its pipelines: what is due is fired once, and what one of them leaves, killed or stopped, the other brings to its end, once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/logger.ts";
import { type PipelinesClient, pipelinesClient } from "../support/pipelines.ts";
import { type Rows, startRows } from "../support/pipelines-rows.ts";
import { hasPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory } from "../support/server.ts";

(hasPostgres ? describe : describe.skip)("two servers", () => {
  let rows: Rows;
  let directories: string[];
  let servers: ServerProcess[];
  let client: PipelinesClient;

  /** Both seal and sign under the same keys: what one keeps, the other opens. */
  const start = (directory: string) =>
    startProcess(directory, {
      env: {
        DATABASE_URL: rows.serversUrl,
        JWT_SECRET: "one secret of both servers, long enough",
        ENCRYPTION_KEY: "one key of both servers, also long enough",
        PIPELINES_CONCURRENCY: "4",
      },
    });

  beforeAll(async () => {
    rows = await startRows();
    directories = [await freshDataDirectory(), await freshDataDirectory()];
    servers = [await start(directories[0]!), await start(directories[1]!)];
    client = await pipelinesClient(() => servers[0]!.url);
  });

  afterAll(async () => {
    for (const server of servers) {
      server.kill("SIGTERM");
      await server.exited;
    }
    await rows.stop();
  });

  /** As runs name the server that does them. */
  const nodeOf = (server: number) => readFileSync(join(directories[server]!, "node-id"), "utf8");
  const numberOf = (pipeline: string) => Number(pipeline.replace("pipeline_", ""));

  async function killed(server: number): Promise<void> {
    servers[server]!.kill("SIGKILL");
    await servers[server]!.exited;
  }

  /** How many runs go on at a server. */
  async function running(server: number): Promise<number> {
    const [found] = await rows.servers`select count(*)::int as count from pipelines.runs
      where status = 'running' and lease_owner = ${nodeOf(server)}`;
    return found.count;
  }

  async function ended(): Promise<number> {
    const [found] =
      await rows.servers`select count(*)::int as count from pipelines.runs where finished_at is not null`;
    return found.count;
  }

  /** Both have nothing left to do, as far as they know. */
  const haveAllEnded = async () =>
    (await rows.servers`select from pipelines.runs where finished_at is null`).length === 0;

  test("50 pipelines and 50 triggers that are due at once, while one is killed: each is fired once and loaded once", async () => {
    const each = 40;
    const tables = Array.from({ length: 100 }, (_, n) => `target_${n}`);
    const deploy = async (table: string, n: number) => {
      const isTriggered = n % 2 === 1;
      const pipeline = await client.deploy({
        schedule: isTriggered ? null : "0 0 1 1 *",
        // Half a second long, so that some go on whenever a server is killed.
        sources: [
          rows.endpoint({
            query: `select n, case when n % 8 = 0 then pg_sleep(0.1)::text end as text from generate_series(1, ${each}) n`,
          }),
        ],
        targets: [rows.endpoint({ table })],
        config: { mode: "append" },
      });
      if (!isTriggered) return;
      const { status } = await client.call("POST", "/mvp/triggers/create", {
        name: "due",
        pipeline_id: pipeline,
        trigger_type: "cron",
        config: { cron_expression: "0 0 1 1 *" },
      });
      expect(status).toBe(201);
    };
    for (let n = 0; n < 100; n += 20)
      await Promise.all(tables.slice(n, n + 20).map((table, index) => deploy(table, n + index)));
    await rows.servers.begin(async (tx) => {
      await tx`update pipelines.pipelines set next_run = date_trunc('minute', now()) where schedule is not null`;
      await tx`update pipelines.triggers set next_run = date_trunc('minute', now())`;
    });
    await until(async () => (await running(0)) > 0 && (await running(1)) > 0);
    await until(async () => (await ended()) >= 20 && (await running(1)) > 0);
    await killed(1);
    expect(await running(1)).toBeGreaterThan(0);
    await until(async () => (await ended()) >= 100, 90);
    expect(await haveAllEnded()).toBe(true);
    const found =
      await rows.servers`select status, cause, count(*)::int as runs, count(distinct pipeline_id)::int as pipelines
      from pipelines.runs group by status, cause order by cause`;
    expect([...found]).toEqual([
      { status: "success", cause: "schedule", runs: 50, pipelines: 50 },
      { status: "success", cause: "trigger: due", runs: 50, pipelines: 50 },
    ]);
    for (const table of tables) expect([table, await rows.count(table)]).toEqual([table, each]);
    expect(await rows.leftovers()).toEqual([]);
    const [{ attempts }] = await rows.servers`select max(attempt) as attempts from pipelines.runs`;
    expect(attempts).toBe(2);
    servers[1] = await start(directories[1]!);
  });

  test("one that is told to stop gives its runs to the other, which does not count that as an attempt", async () => {
    const query = "select n, pg_sleep(0.1)::text as text from generate_series(1, 30) n";
    const started: [pipeline: string, run: string][] = [];
    for (let n = 0; n < 8; n++) {
      const pipeline = await client.make({
        sources: [rows.endpoint({ query })],
        targets: [rows.endpoint({ table: `given_${n}` })],
        config: { mode: "append" },
      });
      const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
      started.push([pipeline, body.run_id]);
    }
    await until(async () => (await running(0)) === 4 && (await running(1)) === 4);
    servers[1]!.kill("SIGTERM");
    expect(await servers[1]!.exited).toBe(0);
    expect(await running(1)).toBe(0);
    for (const [pipeline, run] of started)
      expect(await client.ended(pipeline, run)).toMatchObject({ status: "success", attempt: 1 });
    for (let n = 0; n < 8; n++) expect(await rows.count(`given_${n}`)).toBe(30);
    expect(await rows.leftovers()).toEqual([]);
    servers[1] = await start(directories[1]!);
  });

  test("six runs of one pipeline go on one after the other, whoever takes them", async () => {
    const pipeline = await client.make({
      sources: [rows.endpoint({ query: "select pg_sleep(0.3)::text as text" })],
      targets: [rows.endpoint({ table: "one_by_one" })],
      config: { mode: "append" },
    });
    const second = { ...client, ...(await pipelinesClient(() => servers[1]!.url)) };
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        [client, second][n % 2]!.call("POST", `/pipelines/${pipeline}/run`),
      ),
    );
    for (const { body } of answers)
      expect((await client.ended(pipeline, body.run_id)).status).toBe("success");
    const overlapping =
      await rows.servers`select from pipelines.runs a join pipelines.runs b on a.pipeline_id = b.pipeline_id and a.id < b.id
      where a.pipeline_id = ${numberOf(pipeline)} and a.started_at < b.finished_at and b.started_at < a.finished_at`;
    expect(overlapping).toHaveLength(0);
    expect(await rows.count("one_by_one")).toBe(6);
  });

  test("cancelled at one server, a run ends at the other", async () => {
    const query = "select n, pg_sleep(0.1)::text as text from generate_series(1, 100000) n";
    const pipelines: string[] = [];
    for (let n = 0; n < 5; n++)
      pipelines.push(
        await client.make({
          sources: [rows.endpoint({ query })],
          targets: [rows.endpoint({ table: "never" })],
        }),
      );
    const started = await Promise.all(
      pipelines.map(async (pipeline) => {
        const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
        return [pipeline, String(body.run_id)] as const;
      }),
    );
    await until(async () => (await running(0)) + (await running(1)) === 5 && (await running(1)) > 0);
    await Promise.all(
      started.map(async ([pipeline, run]) => {
        expect((await client.call("POST", `/pipelines/${pipeline}/runs/${run}/cancel`)).status).toBe(202);
        expect(await client.ended(pipeline, run)).toMatchObject({ status: "cancelled", attempt: 1 });
      }),
    );
    expect(await rows.leftovers()).toEqual([]);
    expect(await rows.sql`select from pg_tables where tablename = 'never'`).toHaveLength(0);
  });

  /** Kills the one server that is left after rows were published and before that was noted; `meanwhile` something happens; it starts again, and the run ends. */
  async function killedAfterPublishing(
    pipeline: string,
    table: string,
    expected: number,
    meanwhile: () => Promise<unknown>,
  ) {
    const released = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding = rows.servers.begin(async (tx) => {
      await tx`lock table pipelines.watermarks in share mode`;
      held.resolve();
      await released.promise;
    });
    await held.promise;
    const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
    const isThere = async () =>
      (await rows.sql`select from pg_tables where tablename = ${table}`).length > 0 &&
      (await rows.count(table)) === expected;
    await until(isThere);
    await Promise.all([killed(0), killed(1)]);
    released.resolve();
    await holding;
    await meanwhile();
    servers = [await start(directories[0]!), await start(directories[1]!)];
    const done = await client.ended(pipeline, body.run_id);
    expect(done).toMatchObject({ status: "success", attempt: 2 });
  }

  test("killed after rows were published, before the cursor was kept: nothing twice, and what came meanwhile comes next", async () => {
    await rows.sql`create table growing (id int primary key)`;
    await rows.sql`insert into growing select generate_series(1, 100)`;
    const pipeline = await client.make({
      sources: [rows.endpoint({ table: "growing" })],
      targets: [rows.endpoint({ table: "grown" })],
      config: { mode: "append", cursor: "id", retries: 2 },
    });
    await killedAfterPublishing(
      pipeline,
      "grown",
      100,
      () => rows.sql`insert into growing select generate_series(101, 110)`,
    );
    const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
    expect(await client.ended(pipeline, body.run_id)).toMatchObject({ status: "success" });
    const [{ count, most }] = await rows.sql`select count(*)::int as count, max(id) as most from grown`;
    expect({ count, most }).toEqual({ count: 110, most: 110 });
  });

  test("what a killed server had in files does not stay when the other ends its run", async () => {
    const query = "select n, pg_sleep(0.1)::text as text from generate_series(1, 30) n";
    const pipelines: [pipeline: string, run: string][] = [];
    for (let n = 0; n < 5; n++) {
      const pipeline = await client.make({
        sources: [rows.endpoint({ query })],
        targets: [rows.endpoint({ table: `first_${n}` }), rows.endpoint({ table: `second_${n}` })],
        config: { mode: "append" },
      });
      const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
      pipelines.push([pipeline, body.run_id]);
    }
    const ofTwo = join(directories[1]!, "pipelines/runs");
    await until(async () => (await running(1)) > 0 && existsSync(ofTwo) && readdirSync(ofTwo).length > 0);
    await killed(1);
    // As if the lease had run out by itself, so that it is the other one that goes on.
    await rows.servers`update pipelines.runs set lease_until = now() where lease_owner = ${nodeOf(1)} and status = 'running'`;
    for (const [pipeline, run] of pipelines)
      expect(await client.ended(pipeline, run)).toMatchObject({ status: "success" });
    servers[1] = await start(directories[1]!);
    expect(readdirSync(ofTwo)).toEqual([]);
  });
});
