/**
 * The Logger: logs one by one and in batches, searches over a million rows, a thousand services watched. All in one run, on one machine that carries the load
 * too. Usage: bun scripts/bench/logger.ts [ingest] [search] [pings]
 */
import { join } from "node:path";
import postgres from "postgres";
import { type LoadResult, load } from "./http-load.ts";
import { cpuOfAll, memory } from "./processes.ts";
import { type BenchServer, startBenchServer } from "./server.ts";

const rounds = 5;
const seconds = 3;
const connections = 64;
const parts = process.argv.slice(2);
const isWanted = (part: string) => parts.length === 0 || parts.includes(part);

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const server = await startBenchServer();
const databaseUrl = `postgres://quintet@localhost/quintet?host=${encodeURIComponent(join(server.dataDirectory, "postgres/run"))}`;

const call = async (method: string, path: string, body?: object, token?: string) => {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(body ? { "Content-Type": "application/json" } : {}),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as Record<string, string>;
};

await call("POST", "/api/v1/auth/register", { username: "bench", password: "password" });
const { token = "" } = await call("POST", "/api/auth/login", { username: "bench", password: "password" });
const { uuid = "" } = await call("POST", "/api/projects", { name: "bench" }, token);

const words = [
  "payment",
  "order",
  "customer",
  "timeout",
  "retry",
  "billing",
  "gateway",
  "session",
  "refused",
  "accepted",
];
const logOf = (n: number, timestamp?: string) => ({
  level: n % 50 === 0 ? "ERROR" : "INFO",
  message: `request ${n} of ${words[n % 10]} ${words[(n * 7) % 10]} took ${n % 997} ms in shop ${n % 113}`,
  tags: n % 100 === 0 ? ["PAYMENT", "SLOW"] : ["HTTP"],
  ...(timestamp ? { timestamp } : {}),
  metadata: {
    ip: `10.0.${n % 256}.${n % 251}`,
    service: words[n % 5],
    user: `user-${n % 1000}`,
    extra: { orderId: `A-${n}` },
  },
});

async function startPeer(...args: string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "logger-peers.ts"), ...args], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  return { child, url: `http://127.0.0.1:${new TextDecoder().decode(value).trim()}` };
}

async function benchIngest(): Promise<void> {
  const body = JSON.stringify({ uuid, log: logOf(4711) });
  const headers = { "Content-Type": "application/json" };
  const common = { path: "/api/logs", method: "POST", headers, body, connections, seconds };
  const parse = await startPeer("parse");
  const insert = await startPeer("insert", databaseUrl);
  const contenders = { ours: server.url, parse: parse.url, insert: insert.url };
  const results: Record<string, LoadResult[]> = { ours: [], parse: [], insert: [] };
  let cpu = 0;
  let logs = 0;
  for (let round = 0; round <= rounds; round++)
    for (const [name, url] of Object.entries(contenders)) {
      const before = cpuOfAll(server);
      const result = await load({ ...common, url });
      if (round === 0) continue;
      results[name]?.push(result);
      if (name !== "ours") continue;
      cpu += cpuOfAll(server) - before;
      logs += result.statuses["201"] ?? 0;
    }
  for (const { child } of [parse, insert]) child.kill();
  const rate = (name: string) =>
    median((results[name] ?? []).map(({ requestsPerSecond }) => requestsPerSecond));
  const ratio = (name: string) =>
    median(
      (results.ours ?? []).map(
        ({ requestsPerSecond }, round) =>
          requestsPerSecond / (results[name]?.[round]?.requestsPerSecond ?? 1),
      ),
    ).toFixed(2);
  console.log(
    `logs one by one, ${connections} connections    ours ${rate("ours").toFixed(0)}/s (${((cpu / logs) * 1e6).toFixed(0)} µs CPU a log, server and database), a server that only parses ${rate("parse").toFixed(0)}/s, ratio ${ratio("parse")}; INSERT each ${rate("insert").toFixed(0)}/s, ratio ${ratio("insert")}`,
  );
}

const perBatch = 2_000;
const batchRows = 100_000;

/** NDJSON of `count` logs, `perBatch` a text. */
const batchesOf = (from: number, count: number, timeOf: (n: number) => string): string[] =>
  Array.from({ length: count / perBatch }, (_, batch) =>
    Array.from({ length: perBatch }, (_, index) => {
      const n = from + batch * perBatch + index;
      return JSON.stringify(logOf(n, timeOf(n)));
    }).join("\n"),
  );

async function sendBatches(batches: string[], project = uuid): Promise<void> {
  const left = [...batches];
  const sender = async () => {
    for (let body = left.shift(); body !== undefined; body = left.shift()) {
      const url = `${server.url}/api/logs/batch?uuid=${project}`;
      const response = await fetch(url, { method: "POST", body });
      if (response.status !== 201) throw new Error(await response.text());
      await response.text();
    }
  };
  await Promise.all([sender(), sender(), sender()]);
}

const now = Date.now();

async function benchBatches(): Promise<void> {
  const psql = Bun.which("psql");
  const ours: number[] = [];
  const copy: number[] = [];
  const run = async (statement: string) => {
    const child = Bun.spawn([psql ?? "psql", "-qX", databaseUrl, "-c", statement], {
      stdout: "ignore",
      stderr: "inherit",
      env: { ...process.env, PGOPTIONS: "-c client_min_messages=warning" },
    });
    if ((await child.exited) !== 0) throw new Error(`psql failed: ${statement}`);
  };
  for (let round = 0; round < rounds; round++) {
    const batches = batchesOf(round * batchRows, batchRows, () => new Date(now).toISOString());
    const start = performance.now();
    await sendBatches(batches);
    ours.push(batchRows / ((performance.now() - start) / 1000));
    if (!psql) continue;
    const file = join(server.dataDirectory, "rows.csv");
    await run(
      "create table if not exists bench_copy (like logger.logs); create index if not exists bench_copy_project on bench_copy (project_id, at, id); create index if not exists bench_copy_tags on bench_copy using gin (tags)",
    );
    await run(`\\copy (select * from logger.logs order by id desc limit ${batchRows}) to '${file}' csv`);
    const begun = performance.now();
    await run(`\\copy bench_copy from '${file}' csv`);
    copy.push(batchRows / ((performance.now() - begun) / 1000));
  }
  if (psql) await run("drop table bench_copy");
  const ratio = median(ours.map((rate, round) => rate / (copy[round] ?? Number.NaN)));
  console.log(
    `logs in batches of ${perBatch}            ours ${median(ours).toFixed(0)} logs/s, \\copy ${psql ? median(copy).toFixed(0) : "–"} rows/s, ratio ${ratio.toFixed(2)}`,
  );
}

const million = 1_000_000;

async function benchSearch(): Promise<void> {
  // A project of its own: what the benchmarks above stored all has the same time and words.
  const { uuid: project = "" } = await call("POST", "/api/projects", { name: "search" }, token);
  const start = now - 20 * 3_600_000;
  for (let from = 0; from < million; from += batchRows)
    await sendBatches(
      batchesOf(from, batchRows, (n) => new Date(start + n * 60).toISOString()),
      project,
    );
  // Autovacuum does so within a minute; without it the planner knows nothing of what has just come in.
  const sql = postgres({ host: join(server.dataDirectory, "postgres/run"), user: "quintet", max: 1 });
  await sql`analyze logger.logs`;
  await sql.end();
  await fetch(`${server.url}/api/logs`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      uuid: project,
      log: { ...logOf(1), message: "the needle in the haystack", timestamp: new Date(start).toISOString() },
    }),
  });
  const searches = {
    "rare word": "text=needle&limit=100",
    "common word": "text=payment&limit=100",
    tag: "tag=SLOW&limit=100",
    "user and level": "user=user-7&level=INFO&limit=100",
    "latest 5,000": "limit=5000",
    "last page of 5,000": `limit=5000&endDate=${new Date(start + 5000 * 60).toISOString()}`,
  };
  for (const [name, query] of Object.entries(searches)) {
    const times: number[] = [];
    for (let n = 0; n < 20; n++) {
      const begun = performance.now();
      const response = await fetch(`${server.url}/api/projects/${project}/logs?${query}`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      await response.text();
      times.push(performance.now() - begun);
    }
    const sorted = times.toSorted((a, b) => a - b);
    console.log(
      `search, ${name.padEnd(24)} p50 ${sorted[10]?.toFixed(1)} ms, p95 ${sorted[18]?.toFixed(1)} ms`,
    );
  }
  const used = memory(server);
  console.log(
    `  memory after it all: server ${used.server.toFixed(0)} MiB, PostgreSQL ${used.database.toFixed(0)} MiB (PSS)`,
  );
}

const services = 1_000;
const interval = 5;
const watchedSeconds = 40;

async function benchPings(): Promise<void> {
  const hits = new Map<string, number[]>();
  const target = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      hits.set(pathname, [...(hits.get(pathname) ?? []), performance.now()]);
      return new Response("ok");
    },
  });
  const { uuid: project = "" } = await call("POST", "/api/projects", { name: "pings" }, token);
  for (let n = 0; n < services; n += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        call(
          "POST",
          `/api/projects/${project}/ping-services`,
          { name: `service ${n + index}`, url: `${target.url}${n + index}`, interval },
          token,
        ),
      ),
    );
  await Bun.sleep(2 * interval * 1000);
  hits.clear();
  const cpu = cpuOfAll(server);
  await Bun.sleep(watchedSeconds * 1000);
  const share = (cpuOfAll(server) - cpu) / watchedSeconds;
  // The plan is not known here: each service's earliest phase stands for it.
  const lateness = [...hits.values()].flatMap((times) => {
    const [first = 0] = times;
    const offsets = times.map((time, index) => time - first - index * interval * 1000);
    const earliest = Math.min(...offsets);
    return offsets.map((offset) => offset - earliest);
  });
  const sorted = lateness.toSorted((a, b) => a - b);
  const checks = lateness.length / watchedSeconds;
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(0);
  console.log(
    `${services} services every ${interval} s          ${checks.toFixed(0)} checks/s (${services / interval} planned), ${(share * 100).toFixed(0)} % of one CPU (server and database), late by p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
  await target.stop(true);
}

async function run(bench: BenchServer): Promise<void> {
  try {
    if (isWanted("ingest")) {
      await benchIngest();
      await benchBatches();
    }
    if (isWanted("search")) await benchSearch();
    if (isWanted("pings")) await benchPings();
  } finally {
    await bench.stop();
  }
}

await run(server);
process.exit();
