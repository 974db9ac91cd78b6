/** When schedules fire: everything that is due, once, at its time in its zone, what was missed once, and nothing that was paused, deleted or taken away. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { OpenedDatabase } from "../../src/platform/database/open.ts";
import { NotifyTransport } from "../../src/platform/realtime/notify-transport.ts";
import { Topics } from "../../src/platform/realtime/topics.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { definition } from "../../src/services/pipelines/definition.ts";
import { Schedule } from "../../src/services/pipelines/orchestrate/schedule.ts";
import { Pipelines } from "../../src/services/pipelines/pipelines.ts";
import { defaultProject, Projects } from "../../src/services/pipelines/projects.ts";
import { Runs } from "../../src/services/pipelines/runs.ts";
import { Triggers } from "../../src/services/pipelines/triggers.ts";
import { ask } from "../support/accounts.ts";
import { openCopy } from "../support/database.ts";
import { until } from "../support/logger.ts";
import { type PipelinesClient, pipelinesClient } from "../support/pipelines.ts";
import { type Rows, startRows } from "../support/pipelines-rows.ts";
import { hasPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory } from "../support/server.ts";

const minute = 60_000;
const hour = 60 * minute;
const nobody = 0;

describe("a clock that is moved by hand", () => {
  const log = createLog("silent");
  let database: OpenedDatabase;
  let pipelines: Pipelines;
  let projects: Projects;
  let triggers: Triggers;
  let runs: Runs;
  let clock: number;
  let made = 0;

  beforeAll(async () => {
    database = await openCopy();
    const { sql } = database;
    const now = () => clock;
    projects = new Projects(sql);
    await projects.start();
    pipelines = new Pipelines(sql, (endpoint) => endpoint, now);
    triggers = new Triggers(sql, now);
    runs = new Runs(sql, new Topics(new NotifyTransport(sql), log), pipelines);
  });

  afterAll(() => database.close());

  beforeEach(async () => {
    clock = Date.parse("2026-06-01T09:59:59Z");
    await database.sql`delete from pipelines.pipelines`;
  });

  /** What a server does once a second. */
  async function look(): Promise<void> {
    const schedule = new Schedule({ sql: database.sql, runs, log, isAirflows: false, now: () => clock });
    await schedule.fireDue();
    // As if workers had done them: what waits stands for later firings as well.
    await database.sql`update pipelines.runs set status = 'success' where status = 'pending'`;
  }

  /** Makes a pipeline with a schedule of its own; answers its number. */
  async function make(
    schedule: string | null,
    timezone = "UTC",
    projectId = defaultProject,
  ): Promise<number> {
    const given = definition.parse({
      sources: [{ type: "csv", config: { path: "in.csv" } }],
      targets: [{ type: "csv", config: { path: "out.csv" } }],
      config: { timezone },
    });
    const name = `pipeline ${made++}`;
    const asked = { projectId, name, description: "", schedule, definition: given };
    return (await pipelines.create(asked, nobody)).id;
  }

  async function deployed(...given: Parameters<typeof make>): Promise<number> {
    const id = await make(...given);
    await pipelines.deploy(id);
    return id;
  }

  /** A deployed pipeline that only a trigger fires. */
  async function triggered(expression: string, timezone = "UTC"): Promise<{ id: number; trigger: number }> {
    const id = await deployed(null);
    const config = { cron_expression: expression, timezone };
    const asked = { name: "trigger", pipelineId: id, type: "cron", config, enabled: true } as const;
    return { id, trigger: (await triggers.create(asked, nobody)).id };
  }

  async function runsOf(pipeline: number): Promise<number> {
    const [row] =
      await database.sql`select count(*) as count from pipelines.runs where pipeline_id = ${pipeline}`;
    return Number(row?.count);
  }

  /** When a pipeline fires, while the clock goes from one moment to another. */
  async function firings(pipeline: number, from: string, to: string, step = 30 * minute): Promise<string[]> {
    const times: string[] = [];
    for (clock = Date.parse(from); clock <= Date.parse(to); clock += step) {
      await look();
      const time = new Date(clock).toISOString().slice(0, 16);
      while (times.length < (await runsOf(pipeline))) times.push(time);
    }
    return times;
  }

  const kinds = [
    { kind: "its own schedule", make: (...of: [string, string?]) => deployed(...of) },
    { kind: "a trigger", make: async (...of: [string, string?]) => (await triggered(...of)).id },
  ];

  describe.each(kinds)("by $kind", ({ make: makeDue }) => {
    test("missed many times it fires once, and then at its next time", async () => {
      const id = await makeDue("0 * * * *");
      await look();
      expect(await runsOf(id)).toBe(0);
      clock += 3 * 24 * hour;
      for (let looks = 0; looks < 3; looks++) await look();
      expect(await runsOf(id)).toBe(1);
      clock = Date.parse("2026-06-04T09:59:59.999Z");
      await look();
      expect(await runsOf(id)).toBe(1);
      clock += 1;
      await look();
      expect(await runsOf(id)).toBe(2);
    });

    test("a server that was killed after it asked for the run does not ask for another", async () => {
      const id = await makeDue("0 * * * *");
      clock += hour;
      const { sql } = database;
      const before = await sql`select id, next_run from pipelines.pipelines`;
      const others = await sql`select id, next_run from pipelines.triggers`;
      await look();
      for (const { id: each, next_run } of before)
        await sql`update pipelines.pipelines set next_run = ${next_run} where id = ${each}`;
      for (const { id: each, next_run } of others)
        await sql`update pipelines.triggers set next_run = ${next_run} where id = ${each}`;
      await look();
      expect(await runsOf(id)).toBe(1);
    });

    test("many that look at once fire it once", async () => {
      const id = await makeDue("0 * * * *");
      clock += hour;
      await Promise.all(Array.from({ length: 8 }, look));
      expect(await runsOf(id)).toBe(1);
    });

    test("an hour that is left out fires at its end, one that comes twice fires once", async () => {
      clock = Date.parse("2026-03-27T12:00:00Z");
      const spring = await makeDue("30 2 * * *", "Europe/Berlin");
      expect(await firings(spring, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z")).toEqual([
        "2026-03-28T01:30",
        "2026-03-29T01:00",
        "2026-03-30T00:30",
      ]);
      clock = Date.parse("2026-10-23T12:00:00Z");
      const autumn = await makeDue("30 2 * * *", "Europe/Berlin");
      expect(await firings(autumn, "2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z")).toEqual([
        "2026-10-24T00:30",
        "2026-10-25T00:30",
        "2026-10-26T01:30",
      ]);
    });

    test("every hour is every hour that there is, also where clocks change by half of one", async () => {
      clock = Date.parse("2026-10-03T13:00:00Z");
      // Two o'clock is half past two there, this night.
      const id = await makeDue("0 * * * *", "Australia/Lord_Howe");
      expect(await firings(id, "2026-10-03T13:00:00Z", "2026-10-03T17:30:00Z")).toEqual([
        "2026-10-03T13:30",
        "2026-10-03T14:30",
        "2026-10-03T16:00",
        "2026-10-03T17:00",
      ]);
      clock = Date.parse("2026-10-24T23:15:00Z");
      const berlin = await makeDue("0 * * * *", "Europe/Berlin");
      const hours = ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"];
      expect(await firings(berlin, "2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z")).toEqual(hours);
    });
  });

  test("neither paused nor deleted ones fire, nor those of a deleted project or never deployed", async () => {
    const project = (await projects.create(`project ${made++}`, "", nobody)).id;
    const theirs = await deployed("0 * * * *", "UTC", Number(project.replace("project_", "")));
    const [paused, deleted, draft] = [
      await deployed("0 * * * *"),
      await deployed("0 * * * *"),
      await make("0 * * * *"),
    ];
    const fires = await deployed("0 * * * *");
    await pipelines.update(paused, { status: "paused", definition: {} }, nobody);
    await pipelines.remove(deleted, nobody);
    await projects.remove(Number(project.replace("project_", "")), nobody);
    clock += hour;
    await look();
    expect(await Promise.all([theirs, paused, deleted, draft, fires].map(runsOf))).toEqual([0, 0, 0, 0, 1]);
    await pipelines.update(paused, { status: "active", definition: {} }, nobody);
    await look();
    expect(await runsOf(paused)).toBe(0);
    clock += hour;
    await look();
    expect(await runsOf(paused)).toBe(1);
  });

  test("what a new version says counts when it is deployed, not before", async () => {
    const removed = await deployed("0 * * * *");
    const moved = await deployed("0 * * * *");
    await pipelines.update(removed, { schedule: null, definition: {} }, nobody);
    await pipelines.update(moved, { schedule: "0 0 * * *", definition: {} }, nobody);
    clock += hour;
    await look();
    expect(await Promise.all([removed, moved].map(runsOf))).toEqual([1, 1]);
    await pipelines.deploy(removed);
    await pipelines.deploy(moved);
    clock += hour;
    await look();
    expect(await Promise.all([removed, moved].map(runsOf))).toEqual([1, 1]);
    clock += 14 * hour;
    await look();
    expect(await Promise.all([removed, moved].map(runsOf))).toEqual([1, 2]);
  });

  test("paused and deleted triggers do not fire, nor those of deleted pipelines", async () => {
    const [paused, deleted, of, fires] = [
      await triggered("0 * * * *"),
      await triggered("0 * * * *"),
      await triggered("0 * * * *"),
      await triggered("0 * * * *"),
    ];
    await triggers.enable(paused.trigger, false);
    await triggers.remove(deleted.trigger, nobody);
    await pipelines.remove(of.id, nobody);
    clock += hour;
    await look();
    expect(await Promise.all([paused, deleted, of, fires].map(({ id }) => runsOf(id)))).toEqual([0, 0, 0, 1]);
    await triggers.enable(paused.trigger, true);
    await look();
    expect(await runsOf(paused.id)).toBe(0);
    clock += hour;
    await look();
    expect(await runsOf(paused.id)).toBe(1);
  });

  test("triggers of a paused pipeline do not fire", async () => {
    const { id } = await triggered("0 * * * *");
    await pipelines.update(id, { status: "paused", definition: {} }, nobody);
    clock += hour;
    await look();
    expect(await runsOf(id)).toBe(0);
  });

  test("one that was paused while others were being fired does not fire", async () => {
    const [first, second] = [await deployed("0 10 * * *"), await deployed("59 9 * * *")];
    clock += 24 * hour;
    const released = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding = database.sql.begin(async (tx) => {
      await tx`lock table pipelines.runs in share mode`;
      held.resolve();
      await released.promise;
    });
    await held.promise;
    const looking = look();
    await until(
      async () =>
        (
          await database.sql`select from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into pipelines.runs%'`
        ).length > 0,
    );
    await pipelines.update(second, { status: "paused", definition: {} }, nobody);
    released.resolve();
    await Promise.all([holding, looking]);
    expect(await Promise.all([first, second].map(runsOf))).toEqual([1, 0]);
  });
});

(hasPostgres ? describe : describe.skip)("a server", () => {
  const [pipelineCount, concurrency, each] = [200, 8, 3];
  let rows: Rows;
  let directory: string;
  let server: ServerProcess;
  let client: PipelinesClient;

  const start = () =>
    startProcess(directory, {
      env: { DATABASE_URL: rows.serversUrl, PIPELINES_CONCURRENCY: String(concurrency) },
    });

  beforeAll(async () => {
    rows = await startRows();
    directory = await freshDataDirectory();
    server = await start();
    client = await pipelinesClient(() => server.url);
  });

  afterAll(async () => {
    server.kill("SIGTERM");
    await server.exited;
    await rows.stop();
  });

  /** A deployed pipeline that loads a few rows into a table, and would next fire at New Year. */
  const deploy = (table: string) =>
    client.deploy({
      schedule: "0 0 1 1 *",
      sources: [rows.endpoint({ query: `select n, 'row ' || n as text from generate_series(1, ${each}) n` })],
      targets: [rows.endpoint({ table })],
      config: { mode: "append" },
    });

  const haveEnded = async (count: number) =>
    Number(
      (await rows.servers`select count(*) as count from pipelines.runs where finished_at is not null`)[0]
        .count,
    ) >= count;

  test("200 that are due in the same minute: each once, some at a time, while the server answers", async () => {
    const tables = Array.from({ length: pipelineCount }, (_, n) => `target_${n}`);
    for (let n = 0; n < pipelineCount; n += 20) await Promise.all(tables.slice(n, n + 20).map(deploy));
    await rows.servers`update pipelines.pipelines set next_run = date_trunc('minute', now())`;
    const statuses = new Set<number>();
    const { token } = client;
    await until(async () => {
      statuses.add((await ask(server.url, "GET", "/health")).status);
      const list = await ask(server.url, "GET", "/api/v1/pipelines?limit=100", { token });
      expect(list.body.items).toHaveLength(100);
      statuses.add(list.status);
      return await haveEnded(pipelineCount);
    }, 100);
    expect([...statuses]).toEqual([200]);
    const found = await rows.servers`select status, attempt, cause, count(*)::int as runs,
        count(distinct pipeline_id)::int as pipelines, sum(rows_processed)::int as rows
      from pipelines.runs group by status, attempt, cause`;
    expect([...found]).toEqual([
      {
        status: "success",
        attempt: 1,
        cause: "schedule",
        runs: pipelineCount,
        pipelines: pipelineCount,
        rows: pipelineCount * each,
      },
    ]);
    const [{ most }] = await rows.servers`select max(running)::int as most from (
        select sum(step) over (order by at, step) as running from (
          select started_at as at, 1 as step from pipelines.runs union all select finished_at, -1 from pipelines.runs) as steps) as sums`;
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(concurrency);
    for (const table of tables) expect([table, await rows.count(table)]).toEqual([table, each]);
    expect(await rows.leftovers()).toEqual([]);
    expect(
      await rows.servers`select from pipelines.pipelines where next_run is null or next_run < now()`,
    ).toHaveLength(0);
  });

  test("what was missed for days while no server ran is fired once at the start", async () => {
    const pipeline = await deploy("missed");
    const id = Number(pipeline.replace("pipeline_", ""));
    await client.call("POST", "/mvp/triggers/create", {
      name: "missed too",
      pipeline_id: pipeline,
      trigger_type: "cron",
      config: { cron_expression: "0 0 1 1 *" },
    });
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    const { servers } = rows;
    await servers`update pipelines.pipelines set next_run = date_trunc('day', now()) - interval '3 days' where id = ${id}`;
    await servers`update pipelines.triggers set next_run = date_trunc('day', now()) - interval '2 days' where pipeline_id = ${id}`;
    server = await start();
    const runsOf = () =>
      servers`select cause, status from pipelines.runs where pipeline_id = ${id} order by id`;
    await until(
      async () =>
        (await runsOf()).filter(({ status }: { status: string }) => status === "success").length >= 2,
    );
    // Whoever looked again would have fired this one, too.
    await deploy("later");
    await servers`update pipelines.pipelines set next_run = date_trunc('minute', now()) where name in (select name from pipelines.pipelines order by id desc limit 1)`;
    await until(() => haveEnded(pipelineCount + 3));
    expect([...(await runsOf())]).toEqual([
      { cause: "schedule", status: "success" },
      { cause: "trigger: missed too", status: "success" },
    ]);
    expect(await rows.count("missed")).toBe(2 * each);
  });
});
