/** Deployed pipelines in the hands of an Airflow: its files, its runs, and what becomes of a run when either side fails. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "bun:test";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needs } from "../../needs.ts";
import { type FakeAirflow, startAirflow } from "../../support/airflow.ts";
import { loadDag, python } from "../../support/dag-stubs.ts";
import { openEmbedded } from "../../support/database.ts";
import { until } from "../../support/logger.ts";
import { endless, fileRoot, type PipelinesClient, pipelinesClient, user } from "../../support/pipelines.ts";
import { type ServerProcess, startProcess } from "../../support/process.ts";
import {
  freshDataDirectory,
  startTestServer,
  type TestServer,
  temporaryDirectory,
} from "../../support/server.ts";

const test = needs(python);
const files = fileRoot();
let airflow: FakeAirflow;
let server: TestServer;
let client: PipelinesClient;
let url: string;

/** How the tasks reach a server. */
const reach = (at: string) => ({
  QUINTET_URL: at,
  QUINTET_USER: user.username,
  QUINTET_PASSWORD: user.password,
});

beforeAll(async () => {
  airflow = startAirflow();
  server = await startTestServer({ PIPELINES_FILE_ROOTS: files, ...airflow.settings });
  url = server.url;
  client = await pipelinesClient(() => url);
});

beforeEach(() => {
  url = server.url;
  airflow.environment = reach(url);
});

afterEach(() => {
  airflow.instead = null;
  airflow.isStarting = true;
  airflow.calls.length = 0;
});

afterAll(async () => {
  await server.stop();
  await airflow.stop();
});

const dagFiles = (directory = airflow.dags) => readdirSync(directory).toSorted();
const dagOf = (id: string, version = 1) => `ai_etl_${id}_v${version}`;
const scheduleOf = (id: string, version = 1) =>
  loadDag(join(airflow.dags, `${dagOf(id, version)}.py`), 3).dag.schedule;
const runIt = (id: string, body: object = {}, headers: Record<string, string> = {}) =>
  client.call("POST", `/pipelines/${id}/run`, body, headers);
const runsOf = async (id: string) => (await client.call("GET", `/pipelines/${id}/runs`)).body.items;

test("a deployed version is a file that Airflow has read and may run, and the only one of its pipeline", async () => {
  const id = await client.make({ schedule: "0 2 * * *", config: { timezone: "Asia/Tokyo" } });
  const { body } = await client.call("POST", `/pipelines/${id}/deploy`);
  expect(body).toMatchObject({
    status: "deployed",
    airflow_dag_id: dagOf(id),
    airflow: { status: "active", message: null },
  });
  expect(airflow.calls).toContain(`PATCH /api/v2/dags/${dagOf(id)}`);
  const file = join(airflow.dags, `${dagOf(id)}.py`);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(scheduleOf(id)).toEqual({ cron: "0 2 * * *", timezone: "Asia/Tokyo" });
  const { ino } = statSync(file);
  await client.call("POST", `/pipelines/${id}/deploy`);
  expect(statSync(file).ino).toBe(ino);
  const text = readFileSync(file, "utf8");
  for (const secret of [airflow.settings.AIRFLOW_PASSWORD!, airflow.url, user.password, client.token])
    expect(text).not.toContain(secret);

  await client.call("PUT", `/pipelines/${id}`, { schedule: "0 3 * * *" });
  expect(scheduleOf(id)).toEqual({ cron: "0 2 * * *", timezone: "Asia/Tokyo" });
  await client.call("POST", `/pipelines/${id}/deploy`);
  expect(dagFiles().filter((name) => name.includes(`${id}_`))).toEqual([`${dagOf(id, 2)}.py`]);
  expect(scheduleOf(id, 2)).toMatchObject({ cron: "0 3 * * *" });

  await client.call("PUT", `/pipelines/${id}`, { status: "paused" });
  expect(scheduleOf(id, 2)).toBeNull();
  await client.call("PUT", `/pipelines/${id}`, { status: "active" });
  expect(scheduleOf(id, 2)).toMatchObject({ cron: "0 3 * * *" });
  await client.call("DELETE", `/pipelines/${id}`);
  expect(dagFiles().filter((name) => name.includes(`${id}_`))).toEqual([]);
});

test("a run goes through Airflow, whose task does it: one run, one end, here and there", async () => {
  const id = await client.deploy({
    transformations: [{ type: "sql", code: "select * from input where id > {{ least }}" }],
  });
  airflow.forgetTokens();
  const { status, body } = await runIt(id, { parameters: { least: 1 } });
  expect({ status, body }).toMatchObject({
    status: 202,
    body: { airflow_run_id: `quintet__${body.run_id}` },
  });
  expect(await client.ended(id, body.run_id)).toMatchObject({
    status: "success",
    rows_processed: 2,
    airflow_dag_id: dagOf(id),
    airflow_run_id: body.airflow_run_id,
  });
  const there = airflow.runs.get(body.airflow_run_id)!;
  await until(() => there.state === "success");
  expect(there.output).toContain("2 rows staged");
  expect(await runsOf(id)).toHaveLength(1);
});

test("what Airflow begins by itself runs once, with its conf, however often its task is begun; a cleared task is another try", async () => {
  const id = await client.deploy();
  const scheduled = {
    dagId: dagOf(id),
    id: "scheduled__2026-11-21T02:00:00+00:00",
    state: "queued" as const,
    conf: { day: "it's today" },
    output: "",
    task: null,
  };
  for (const tryNumber of [1, 1, 2]) {
    airflow.begin(scheduled, tryNumber);
    await until(() => airflow.runs && (scheduled.state as string) === "success");
  }
  const runs = await runsOf(id);
  expect(runs).toHaveLength(2);
  expect(runs[0]).toMatchObject({ status: "success", cause: "command", parameters: { day: "it's today" } });
});

test("under one idempotency key there is one run, in Airflow too", async () => {
  const id = await client.deploy();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => runIt(id, {}, { "Idempotency-Key": "k" })),
  );
  expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
  await client.ended(id, answers[0]!.body.run_id);
  expect(await runsOf(id)).toHaveLength(1);
});

test("what is not deployed, another version, and what a trigger fires is run here", async () => {
  const never = await client.make();
  const { body: first } = await runIt(never);
  expect(first.airflow_run_id).toStartWith("manual__");
  expect(await client.ended(never, first.run_id)).toMatchObject({ status: "success" });
  const id = await client.deploy();
  await client.call("PUT", `/pipelines/${id}`, { description: "later" });
  const { body: second } = await runIt(id, { version: 2 });
  expect(await client.ended(id, second.run_id)).toMatchObject({ status: "success", version: 2 });
  expect(airflow.calls.some((call) => call.startsWith("POST /api/v2"))).toBe(false);
  expect(await runIt(id, { version: 3 })).toMatchObject({
    status: 404,
    body: { error: { message: "The pipeline has no version 3" } },
  });
});

test("when Airflow fails before the task began, the run fails and says so", async () => {
  airflow.isStarting = false;
  const id = await client.deploy();
  const { body } = await runIt(id);
  expect(await client.look(id, body.run_id)).toMatchObject({ status: "pending" });
  airflow.runs.get(body.airflow_run_id)!.state = "failed";
  const run = await client.ended(id, body.run_id);
  expect(run).toMatchObject({ status: "failed", error: { code: "PIPELINE_EXECUTION_ERROR" } });
  expect(run.error.message).toContain(`Airflow's run ${body.airflow_run_id} ended (failed)`);
});

test("cancelled here while it waits: Airflow's run ends, and a task that begins all the same does nothing", async () => {
  airflow.isStarting = false;
  const id = await client.deploy();
  const { body } = await runIt(id);
  const there = airflow.runs.get(body.airflow_run_id)!;
  expect((await client.call("POST", `/pipelines/${id}/runs/${body.run_id}/cancel`)).status).toBe(202);
  await until(() => there.state === "failed");
  airflow.begin(there);
  await until(() => there.state === "failed");
  expect(await client.look(id, body.run_id)).toMatchObject({ status: "cancelled", attempt: 0 });
  expect(there.output).toContain(`${body.run_id} was cancelled`);
});

test("cancelled here while it goes on, or ended in Airflow: both end", async () => {
  const id = await client.deploy({ transformations: endless });
  const goingOn = async () => {
    const { body } = await runIt(id);
    await until(async () => (await client.look(id, body.run_id)).status === "running");
    return body;
  };
  const one = await goingOn();
  await client.call("POST", `/pipelines/${id}/runs/${one.run_id}/cancel`);
  expect(await client.ended(id, one.run_id)).toMatchObject({ status: "cancelled" });
  await until(() => airflow.runs.get(one.airflow_run_id)!.state === "failed");

  // Its task is killed with nothing that it could do.
  const two = await goingOn();
  airflow.runs.get(two.airflow_run_id)!.task!.kill("SIGKILL");
  expect(await client.ended(id, two.run_id)).toMatchObject({ status: "cancelled" });
});

test("where Airflow cannot be asked there is no run, and no word of what was sent", async () => {
  const id = await client.deploy();
  const answers: [NonNullable<FakeAirflow["instead"]>, string][] = [
    [() => new Response("", { status: 502 }), "Airflow answered 502"],
    [() => Response.json({ detail: "The DAG was not found" }, { status: 404 }), "Airflow has not read"],
    [
      () => Response.json({ detail: "Access denied" }, { status: 403 }),
      "Airflow answered 403: Access denied",
    ],
    [
      (request) =>
        Response.json(
          { detail: [{ msg: "no", input: request.headers.get("authorization") }] },
          { status: 422 },
        ),
      "Airflow answered 422",
    ],
  ];
  for (const [instead, message] of answers) {
    airflow.instead = instead;
    const { status, body } = await runIt(id, {}, { "Idempotency-Key": "again" });
    expect({ status, body }).toMatchObject({
      status: 503,
      body: { error: { code: "PIPELINE_EXECUTION_ERROR" } },
    });
    expect(body.error.message).toStartWith(message);
    expect(JSON.stringify(body)).not.toContain("Bearer");
  }
  expect(await runsOf(id)).toEqual([]);
  airflow.instead = null;
  const { body } = await runIt(id, {}, { "Idempotency-Key": "again" });
  expect(await client.ended(id, body.run_id)).toMatchObject({ status: "success" });
});

test("a deployment stands although Airflow is away, or cannot read the file", async () => {
  const id = await client.make();
  airflow.instead = () => new Response("", { status: 500 });
  const away = await client.call("POST", `/pipelines/${id}/deploy`);
  expect(away).toMatchObject({
    status: 200,
    body: { airflow: { status: "pending", message: "Airflow answered 500" } },
  });
  const refused = {
    filename: `/dags/${dagOf(id)}.py`,
    stack_trace: "Traceback:\n  …\nValueError: bad cron\n",
  };
  airflow.instead = (request) => {
    if (request.url.includes("importErrors")) return Response.json({ import_errors: [refused] });
    return request.url.includes("/dags/") ? Response.json({ detail: "not found" }, { status: 404 }) : null;
  };
  expect((await client.call("POST", `/pipelines/${id}/deploy`)).body.airflow).toEqual({
    status: "refused",
    message: "Airflow cannot read the DAG file: ValueError: bad cron",
  });
});

test("schedules of pipelines are Airflow's; those of triggers are ours", async () => {
  const id = await client.deploy({ schedule: "0 2 * * *" });
  await client.call("POST", "/mvp/triggers/create", {
    name: "ours",
    pipeline_id: id,
    trigger_type: "cron",
    config: { cron_expression: "0 2 * * *" },
  });
  const sql = openEmbedded(server.dataDirectory);
  const number = Number(id.split("_")[1]);
  await sql`update pipelines.pipelines set next_run = date_trunc('minute', now()) where id = ${number}`;
  await sql`update pipelines.triggers set next_run = date_trunc('minute', now()) where pipeline_id = ${number}`;
  await sql.close();
  await until(
    async () => Date.parse((await client.call("GET", `/pipelines/${id}`)).body.next_run) > Date.now(),
  );
  const runs = await until(async () => {
    const found = await runsOf(id);
    return found.length > 0 && found[0].status === "success" ? found : null;
  });
  expect(runs.map(({ cause }: { cause: string }) => cause)).toEqual(["trigger: ours"]);
});

test("what was deployed before there was an Airflow is written at the start, what does not belong goes, what is not ours stays", async () => {
  const data = await freshDataDirectory();
  const settings = { DATA_DIR: data, PIPELINES_FILE_ROOTS: files };
  const before = await startTestServer(settings);
  url = before.url;
  client = await pipelinesClient(() => url);
  const id = await client.deploy();
  await before.quintet.stop();
  const dags = join(temporaryDirectory("other"), "made");
  for (let start = 0; start < 2; start++) {
    const after = await startTestServer({ ...settings, AIRFLOW_DAGS_DIR: dags });
    url = after.url;
    expect(dagFiles(dags).filter((name) => !name.startsWith("their"))).toEqual([`${dagOf(id)}.py`]);
    if (start === 1) expect(dagFiles(dags)).toContain("theirs.py");
    const { body } = await client.call("POST", `/pipelines/${id}/deploy`);
    expect(body.airflow).toEqual({ status: "written", message: null });
    const { body: run } = await runIt(id);
    expect(await client.ended(id, run.run_id)).toMatchObject({ status: "success" });
    writeFileSync(join(dags, "ai_etl_pipeline_99_v1.py"), "old");
    writeFileSync(join(dags, `${dagOf(id)}.py`), "changed");
    writeFileSync(join(dags, ".ai_etl_pipeline_99_v1.py.tmp"), "half");
    writeFileSync(join(dags, "theirs.py"), "");
    if (start === 1) {
      rmSync(dags, { recursive: true });
      const answer = await client.call("POST", `/pipelines/${id}/deploy`);
      expect(answer).toMatchObject({
        status: 200,
        body: { status: "deployed", airflow: { status: "failed" } },
      });
    }
    await after.quintet.stop();
  }
  writeFileSync(dags, "");
  chmodSync(dags, 0o600);
  expect(startTestServer({ ...settings, AIRFLOW_DAGS_DIR: dags })).rejects.toThrow(
    /^AIRFLOW_DAGS_DIR: cannot write to/,
  );
  url = server.url;
  client = await pipelinesClient(() => url);
});

test("a server that is killed between its row and Airflow's: the run is asked for again, once", async () => {
  const theirs = startAirflow();
  const data = await freshDataDirectory();
  const env = { PIPELINES_FILE_ROOTS: files, ...theirs.settings };
  let other: ServerProcess = await startProcess(data, { env });
  url = other.url;
  const there = await pipelinesClient(() => url);
  const id = await there.deploy();
  const asked = Promise.withResolvers<void>();
  theirs.instead = (request) => {
    if (!request.url.endsWith("/dagRuns")) return null;
    asked.resolve();
    return new Promise(() => {});
  };
  const lost = there.call("POST", `/pipelines/${id}/run`, {}).catch(() => null);
  await asked.promise;
  other.kill("SIGKILL");
  await other.exited;
  await lost;
  theirs.instead = null;
  other = await startProcess(data, { env });
  url = other.url;
  theirs.environment = reach(url);
  expect(await there.ended(id, "run_1")).toMatchObject({
    status: "success",
    airflow_run_id: "quintet__run_1",
  });
  other.kill("SIGTERM");
  await other.exited;
  await theirs.stop();
});
