import { afterAll, beforeAll, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { readConfig } from "../../../src/config.ts";
import { unpackAssets } from "../../../src/platform/assets/assets.ts";
import { holdDataDirectory } from "../../../src/platform/data-directory.ts";
import { type OpenedDatabase, openMigrated } from "../../../src/platform/database/open.ts";
import { type JobKind, Jobs } from "../../../src/platform/jobs/jobs.ts";
import { jobs as jobTable } from "../../../src/platform/jobs/tables.ts";
import { NotifyTransport } from "../../../src/platform/realtime/notify-transport.ts";
import { Topics } from "../../../src/platform/realtime/topics.ts";
import { createLog } from "../../../src/platform/telemetry/log.ts";
import { freshDataDirectory } from "../../support/server.ts";

const log = createLog("silent");
let database: OpenedDatabase;
const nodes: { jobs: Jobs; topics: Topics }[] = [];

beforeAll(async () => {
  const dataDirectory = await freshDataDirectory();
  holdDataDirectory(dataDirectory);
  const config = readConfig({}, { DATA_DIR: dataDirectory, LOG_LEVEL: "silent" });
  database = await openMigrated(config, await unpackAssets(dataDirectory), log);
});

afterAll(async () => {
  for (const { jobs, topics } of nodes) {
    await jobs.stop();
    await topics.stop();
  }
  await database.close();
});

/** A node of its own on the shared database, as another server would be. */
async function startNode(kind: JobKind, name = crypto.randomUUID()): Promise<Jobs> {
  const topics = new Topics(new NotifyTransport(database.sql), log);
  await topics.start();
  const jobs = new Jobs(database.orm, topics, log, name);
  jobs.register(kind);
  await jobs.start();
  nodes.push({ jobs, topics });
  return jobs;
}

async function untilOver(jobs: Jobs, id: string) {
  for (;;) {
    const job = await jobs.find(id);
    if (!job || !["pending", "running"].includes(job.status)) return job;
    await Bun.sleep(10);
  }
}

/** Work that goes on until it is told to stop. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }),
  );

test("a job runs and its result is kept", async () => {
  const jobs = await startNode({
    kind: "sum",
    concurrency: 1,
    run: async ({ payload }) => ({ got: payload }),
  });
  const { id } = await jobs.enqueue("sum", { a: 1 });
  expect(await untilOver(jobs, id)).toMatchObject({
    status: "completed",
    result: { got: { a: 1 } },
    error: null,
  });
});

test("what a job throws is its error", async () => {
  const jobs = await startNode({
    kind: "throwing",
    concurrency: 1,
    run: async () => {
      throw new Error("no luck\nat all");
    },
  });
  const { id } = await jobs.enqueue("throwing", {});
  expect(await untilOver(jobs, id)).toMatchObject({ status: "failed", error: "no luck" });
});

test("no more than `concurrency` run at once, the others wait in order", async () => {
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const jobs = await startNode({
    kind: "narrow",
    concurrency: 2,
    async run({ payload }) {
      most = Math.max(most, ++running);
      order.push((payload as { n: number }).n);
      await Bun.sleep(20);
      running--;
      return {};
    },
  });
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) ids.push((await jobs.enqueue("narrow", { n })).id);
  for (const id of ids) expect((await untilOver(jobs, id))?.status).toBe("completed");
  expect(most).toBe(2);
  expect(order.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(order[0]).toBe(0);
});

test("each job runs on one of several nodes, once", async () => {
  const runs: string[] = [];
  const kind: JobKind = {
    kind: "shared",
    concurrency: 3,
    async run({ id }) {
      runs.push(id);
      await Bun.sleep(5);
      return {};
    },
  };
  const [first] = await Promise.all([startNode(kind), startNode(kind), startNode(kind)]);
  const queued = await Promise.all(Array.from({ length: 40 }, () => first.enqueue("shared", {})));
  for (const { id } of queued) await untilOver(first, id);
  expect(runs.toSorted()).toEqual(queued.map(({ id }) => id).toSorted());
});

test("cancelling stops the work, on whichever node it runs, and answers afterwards", async () => {
  let stopped = false;
  const kind: JobKind = {
    kind: "endless",
    concurrency: 1,
    async run({ signal }) {
      await untilAborted(signal).finally(async () => {
        await Bun.sleep(50);
        stopped = true;
      });
      return {};
    },
  };
  const worker = await startNode(kind);
  const other = await startNode({ kind: "something else", concurrency: 1, run: async () => ({}) });
  const { id } = await worker.enqueue("endless", {});
  while ((await other.find(id))?.status !== "running") await Bun.sleep(10);
  expect(await other.cancel(id)).toBe(true);
  expect(stopped).toBe(true);
  expect(await other.find(id)).toMatchObject({ status: "cancelled" });
  expect(await other.cancel(crypto.randomUUID())).toBe(false);
  expect(await other.cancel("not an id")).toBe(false);
});

test("a job that waits is cancelled without being run", async () => {
  const jobs = await startNode({ kind: "never", concurrency: 1, run: ({ signal }) => untilAborted(signal) });
  const first = await jobs.enqueue("never", {});
  const second = await jobs.enqueue("never", {});
  await jobs.cancel(second.id);
  expect(await jobs.find(second.id)).toMatchObject({ status: "cancelled", startedAt: null });
  await jobs.cancel(first.id);
});

test("an orderly stop gives a job back, and the next start carries on with it", async () => {
  const attempts: number[] = [];
  const kind: JobKind = {
    kind: "handed over",
    concurrency: 1,
    async run({ attempt, signal }) {
      attempts.push(attempt);
      if (attempts.length === 1) await untilAborted(signal);
      return { done: true };
    },
  };
  const name = crypto.randomUUID();
  const before = await startNode(kind, name);
  const { id } = await before.enqueue("handed over", {});
  while (attempts.length === 0) await Bun.sleep(5);
  await before.stop();
  expect(await before.find(id)).toMatchObject({ status: "pending" });
  const after = await startNode(kind, name);
  expect(await untilOver(after, id)).toMatchObject({ status: "completed", result: { done: true } });
  expect(attempts).toEqual([1, 1]);
});

test("what a killed predecessor held is taken up at once by the same node, and by others when the lease is out", async () => {
  const kind: JobKind = { kind: "orphaned", concurrency: 1, run: async ({ attempt }) => ({ attempt }) };
  const name = crypto.randomUUID();
  const values = { kind: "orphaned", payload: {}, status: "running" as const, attempt: 1 };
  const soon = new Date(Date.now() + 60_000);
  const [own] = await database.orm
    .insert(jobTable)
    .values({ ...values, leaseOwner: name, leaseUntil: soon })
    .returning();
  const [expired] = await database.orm
    .insert(jobTable)
    .values({ ...values, leaseOwner: "dead", leaseUntil: new Date(0) })
    .returning();
  const [alive] = await database.orm
    .insert(jobTable)
    .values({ ...values, leaseOwner: "alive", leaseUntil: soon })
    .returning();
  const jobs = await startNode(kind, name);
  for (const row of [own, expired])
    expect(await untilOver(jobs, row!.id)).toMatchObject({ status: "completed", result: { attempt: 2 } });
  expect(await jobs.find(alive!.id)).toMatchObject({ status: "running" });
  await database.orm.delete(jobTable).where(eq(jobTable.id, alive!.id));
});

test("a job that takes its node down every time comes to an end", async () => {
  const [row] = await database.orm
    .insert(jobTable)
    .values({
      kind: "poison",
      payload: {},
      status: "running",
      attempt: 5,
      leaseOwner: "dead",
      leaseUntil: new Date(0),
    })
    .returning();
  const jobs = await startNode({ kind: "poison", concurrency: 1, run: async () => ({}) });
  expect(await untilOver(jobs, row!.id)).toMatchObject({ status: "failed", error: "Interrupted 5 times" });
});

test("watchers are told the last state, and null when the job is gone", async () => {
  const jobs = await startNode({
    kind: "watched",
    concurrency: 1,
    async run({ progress }) {
      for (let n = 1; n <= 1000; n++) progress({ n });
      await Bun.sleep(150);
      return { fine: true };
    },
  });
  const { id } = await jobs.enqueue("watched", {});
  const seen: unknown[] = [];
  await new Promise<void>((resolve) => {
    jobs.watch(id, (job) => {
      seen.push(job?.status);
      if (job?.status === "completed") resolve();
    });
  });
  expect(seen.at(-1)).toBe("completed");
  expect(seen.length).toBeLessThan(10);
  expect(await jobs.find(id)).toMatchObject({ progress: { n: 1000 } });
  expect(await new Promise((resolve) => jobs.watch(crypto.randomUUID(), resolve))).toBeNull();
});
