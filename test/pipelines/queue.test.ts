/** The queue of runs, in a real database and without a server: whose turn it is, and what becomes of runs that nobody ends. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { OpenedDatabase } from "../../src/platform/database/open.ts";
import { NotifyTransport } from "../../src/platform/realtime/notify-transport.ts";
import { Topics } from "../../src/platform/realtime/topics.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { definition } from "../../src/services/pipelines/definition.ts";
import { Pipelines } from "../../src/services/pipelines/pipelines.ts";
import { Projects } from "../../src/services/pipelines/projects.ts";
import {
  claimRun,
  finishRun,
  giveBack,
  type RunEnd,
  releaseDead,
} from "../../src/services/pipelines/run/queue.ts";
import { keepWatermarks, watermarkOf } from "../../src/services/pipelines/run/watermarks.ts";
import { type Run, type RunRequest, Runs } from "../../src/services/pipelines/runs.ts";
import { openCopy } from "../support/database.ts";

let database: OpenedDatabase;
let projects: Projects;
let pipelines: Pipelines;
let runs: Runs;
let pipelineId = 0;
let made = 0;

const me = "00000000-0000-0000-0000-000000000001";
const nobody = 0;

beforeAll(async () => {
  database = await openCopy();
  const { sql } = database;
  projects = new Projects(sql);
  await projects.start();
  pipelines = new Pipelines(sql, (endpoint) => endpoint, Date.now);
  runs = new Runs(sql, new Topics(new NotifyTransport(sql), createLog("silent")), pipelines);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.sql`delete from pipelines.pipelines`;
  pipelineId = await make();
});

async function make(config: object = {}, projectId = 1): Promise<number> {
  const given = definition.parse({
    sources: [{ type: "csv", config: { path: "in.csv" } }],
    targets: [{ type: "csv", config: { path: "out.csv" } }],
    config,
  });
  const name = `pipeline ${made++}`;
  return (
    await pipelines.create({ projectId, name, description: "", schedule: null, definition: given }, nobody)
  ).id;
}

const ask = async (more: Partial<RunRequest> = {}): Promise<Run> =>
  (await runs.request({ pipelineId, cause: "manual", ...more })).run;
const claim = () => claimRun(database.sql, me);
const look = (id: number) => runs.find(pipelineId, id);
const failed = (retryAfter: number | null): RunEnd => ({
  status: "failed",
  ...{ rows: 0, errorCode: "PIPELINE_EXECUTION_ERROR", error: "it failed", retryAfter },
  metrics: {
    ...{ extraction_time_ms: 0, transformation_time_ms: 0, loading_time_ms: 0 },
    ...{ rows_extracted: 0, rows_loaded: 0 },
  },
});

test("while a run waits for its next attempt, no later one of its pipeline goes before it", async () => {
  const [first, second] = [await ask(), await ask()];
  expect((await claim())?.id).toBe(first.id);
  expect(await claim()).toBeNull();
  await finishRun(database.sql, first.id, me, failed(3600));
  expect(await claim()).toBeNull();
  await database.sql`update pipelines.runs set not_before = now() where id = ${first.id}`;
  expect(await claim()).toMatchObject({ id: first.id, attempt: 2 });
  await finishRun(database.sql, first.id, me, failed(null));
  expect((await claim())?.id).toBe(second.id);
});

test("of many who ask at once for a run of a pipeline that refuses to overlap, one gets it", async () => {
  pipelineId = await make({ overlap: "refuse" });
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => ask()));
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("a firing that waits stands for the later ones of its schedule, and for no other's", async () => {
  const fire = (at: string, cause = "schedule") => ask({ cause, firedFor: `${cause}:${at}` });
  const first = await fire("10:00");
  expect((await fire("10:00")).id).toBe(first.id);
  expect((await fire("10:01")).id).toBe(first.id);
  expect((await fire("10:01", "trigger: a")).id).not.toBe(first.id);
  await claim();
  expect((await fire("10:00")).id).toBe(first.id);
  expect((await fire("10:02")).id).not.toBe(first.id);
});

test("a pipeline that goes takes its runs with it, and so does a project", async () => {
  const project = await projects.create("goes", "", nobody);
  for (const remove of [
    () => pipelines.remove(pipelineId, nobody),
    () => projects.remove(Number(project.id.replace(/\D/g, "")), nobody),
  ]) {
    const [running, waiting] = [await ask(), await ask()];
    await claim();
    await remove();
    expect(await look(waiting.id)).toMatchObject({ status: "cancelled", finished_at: expect.any(Date) });
    const [row] = await database.sql`select cancel_requested from pipelines.runs where id = ${running.id}`;
    expect(row?.cancel_requested).toBeInstanceOf(Date);
    pipelineId = await make({}, Number(project.id.replace(/\D/g, "")));
  }
});

test("a run that is cancelled while its server stops does not begin again", async () => {
  const { id } = await ask();
  await claim();
  await runs.cancel(pipelineId, id);
  await giveBack(database.sql, id, me);
  expect(await look(id)).toMatchObject({ status: "cancelled", finished_at: expect.any(Date) });
});

test("a run that takes its server down each time comes to an end", async () => {
  const { id } = await ask();
  for (let attempt = 1; attempt <= 25; attempt++) {
    expect(await claim()).toMatchObject({ id, attempt });
    await releaseDead(database.sql, me);
  }
  expect(await look(id)).toMatchObject({ status: "failed", error: "the server was interrupted" });
  expect(await claim()).toBeNull();
});

test("a paused pipeline's schedule waits, and whoever asks by hand does not", async () => {
  const fired = await ask({ cause: "schedule", firedFor: "schedule:10:00" });
  await pipelines.update(pipelineId, { status: "paused", definition: {} }, nobody);
  expect(await claim()).toBeNull();
  const byHand = await ask();
  expect((await claim())?.id).toBe(byHand.id);
  await finishRun(database.sql, byHand.id, me, failed(null));
  await pipelines.update(pipelineId, { status: "active", definition: {} }, nobody);
  expect((await claim())?.id).toBe(fired.id);
});

test("a run that was overtaken keeps how far it came, unless another came as far", async () => {
  const { sql } = database;
  const keep = (runId: number, after: string | null, value: string) =>
    sql.begin((tx) => keepWatermarks(tx, pipelineId, runId, [{ source: "s", after, value }]));
  const kept = () => watermarkOf(sql, pipelineId, "s");
  await keep(2, null, "10");
  await keep(1, "10", "20");
  expect(await kept()).toBe("20");
  await keep(3, "10", "15");
  expect(await kept()).toBe("20");
});
