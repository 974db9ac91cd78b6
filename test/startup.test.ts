/** How the server starts, what keeps it from starting, and what it survives. Each test starts real processes. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import { needs } from "./needs.ts";
import { collectTree, waitForResult } from "./support/collector.ts";
import {
  type Ended,
  runToEnd,
  type ServerProcess,
  type SpawnOptions,
  startProcess,
} from "./support/process.ts";
import { freshDataDirectory, temporaryDirectory } from "./support/server.ts";

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const nobody = 65_534;

const running: ServerProcess[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) {
    server.kill("SIGTERM");
    await server.exited;
  }
});

async function start(dataDirectory: string, options?: SpawnOptions): Promise<ServerProcess> {
  const server = await startProcess(dataDirectory, options);
  running.push(server);
  return server;
}

const healthOf = async (server: ServerProcess) => (await fetch(`${server.url}/health`)).status;

async function untilHealthy(server: ServerProcess): Promise<void> {
  while ((await healthOf(server)) !== 200) await Bun.sleep(20);
}

/** One clear line on standard error that says `reason`, nothing else, and a status that is not 0. */
function expectOneLine(ended: Ended, reason: RegExp): void {
  expect(ended.stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(/^quintet: /)]);
  expect(ended.stderr).toMatch(reason);
  expect(ended.stderr).not.toContain("    at ");
  expect(ended.status).not.toBe(0);
}

/** The running PostgreSQL's process id, by its lock file. */
const postgresPid = (dataDirectory: string): number =>
  Number(readFileSync(join(dataDirectory, "postgres/18/postmaster.pid"), "utf8").split("\n")[0]);

/** A zombie that nobody has collected yet is not alive. */
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

test("an empty directory: made, healthy, stopped cleanly", async () => {
  const data = join(temporaryDirectory("empty"), "data");
  const server = await start(data);
  const health = await fetch(`${server.url}/health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toEqual({
    status: "healthy",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  const detailed = (await (await fetch(`${server.url}/health/detailed`)).json()) as Record<string, unknown>;
  expect(detailed.components).toEqual({
    database: { status: "healthy", latency_ms: expect.any(Number) },
    redis: { status: "not_configured" },
    clickhouse: { status: "not_configured" },
    llm_gateway: { status: "not_configured" },
  });
  const postgres = postgresPid(data);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(isAlive(postgres)).toBe(false);
  expect(existsSync(join(data, "postgres/18/postmaster.pid"))).toBe(false);
});

test("two servers that unpack at once do not break each other", async () => {
  const data = join(temporaryDirectory("race"), "data");
  const ended = await Promise.allSettled([start(data), start(data)]);
  const [winner] = ended.filter((each) => each.status === "fulfilled");
  expect(ended.filter((each) => each.status === "rejected")).toHaveLength(1);
  expect(await healthOf(winner!.value)).toBe(200);
  expect(readdirSync(join(data, "runtime"))).toHaveLength(1);
});

test("a damaged or half unpacked runtime is made whole, an old one is removed", async () => {
  const data = await freshDataDirectory();
  const [name] = readdirSync(join(data, "runtime"));
  rmSync(join(data, "runtime", name!, "postgres/bin/postgres"));
  mkdirSync(join(data, "runtime", "0000000000000000"));
  const server = await start(data);
  expect(await healthOf(server)).toBe(200);
  expect(readdirSync(join(data, "runtime"))).toEqual([name!]);
});

test("SIGKILL of the server: the PostgreSQL left behind is adopted, nothing is lost", async () => {
  const directory = temporaryDirectory("kill");
  const data = await freshDataDirectory();
  writeFileSync(join(directory, "a.log"), "a\n");
  const first = await start(data);
  const request = { source_paths: [join(directory, "a.log")], target_path: join(directory, "target") };
  const { job_id } = await collectTree(first.url, request);
  await waitForResult(first.url, job_id);
  const postgres = postgresPid(data);
  first.kill("SIGKILL");
  await first.exited;
  expect(isAlive(postgres)).toBe(true);
  const second = await start(data);
  expect(postgresPid(data)).toBe(postgres);
  expect(await waitForResult(second.url, job_id)).toMatchObject({ status: "completed" });
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(isAlive(postgres)).toBe(false);
});

test("SIGKILL of PostgreSQL: 503 for a moment, then all well", async () => {
  const data = await freshDataDirectory();
  const server = await start(data);
  process.kill(postgresPid(data), "SIGKILL");
  const jobs = `${server.url}/api/v1/jobs`;
  const seen = new Set<number>();
  for (let status = 0; status !== 200 || seen.size < 1; await Bun.sleep(5)) {
    const response = await fetch(jobs);
    status = response.status;
    seen.add(status);
    if (status !== 200) {
      expect(status).toBe(503);
      expect(await response.json()).toEqual({ detail: "Service temporarily unavailable" });
      expect(response.headers.get("retry-after")).toBe("1");
    }
  }
  await untilHealthy(server);
});

test("both killed at once, with a job running: the next start carries on", async () => {
  const directory = temporaryDirectory("both");
  const data = await freshDataDirectory();
  mkdirSync(join(directory, "source"));
  for (let n = 0; n < 3000; n++) writeFileSync(join(directory, "source", `${n}.log`), `${n}\n`.repeat(100));
  const first = await start(data);
  const target = join(directory, "target");
  const { job_id } = await collectTree(first.url, {
    source_paths: [join(directory, "source")],
    target_path: target,
  });
  while (!existsSync(target)) await Bun.sleep(2);
  process.kill(postgresPid(data), "SIGKILL");
  first.kill("SIGKILL");
  await first.exited;
  const second = await start(data);
  expect(await waitForResult(second.url, job_id)).toMatchObject({
    status: "completed",
    results: { processed_files: 3000, failed_files: 0 },
  });
  await $`diff -r ${join(directory, "source")} ${target} --exclude=pc_info.json --exclude=manifest.json`.quiet();
});

test("a port in use", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as { port: number };
  const data = await freshDataDirectory();
  const ended = await runToEnd(["serve", "--data", data, "--port", String(port)]);
  expectOneLine(ended, new RegExp(`127\\.0\\.0\\.1:${port}: Address already in use`));
  expect(existsSync(join(data, "postgres/18/postmaster.pid"))).toBe(false);
  holder.close();
});

test("a second server on the same data directory", async () => {
  const data = await freshDataDirectory();
  const server = await start(data);
  expectOneLine(
    await runToEnd(["serve", "--data", data]),
    new RegExp(`in use by another server \\(process ${server.pid}\\)`),
  );
  expect(await healthOf(server)).toBe(200);
});

test("a data directory that is no directory", async () => {
  const data = join(temporaryDirectory("file"), "data");
  writeFileSync(data, "");
  expectOneLine(await runToEnd(["serve", "--data", data]), /cannot write to the data directory .*/);
});

const needsMount = isRoot ? needs("mount") : test.skip;

needsMount("a read-only data directory", async () => {
  const data = temporaryDirectory("readonly");
  await $`mount -t tmpfs -o ro tmpfs ${data}`;
  try {
    expectOneLine(await runToEnd(["serve", "--data", data]), /data directory .*: Read-only file system/);
  } finally {
    await $`umount ${data}`;
  }
});

needsMount("a disk that is full at the first start", async () => {
  const data = temporaryDirectory("full");
  for (const size of ["20m", "70m"]) {
    await $`mount -t tmpfs -o size=${size},mode=0711 tmpfs ${data}`;
    try {
      expectOneLine(await runToEnd(["serve", "--data", data]), /No space left on device/);
    } finally {
      await $`umount ${data}`;
    }
  }
});

test("bad settings", async () => {
  const data = join(temporaryDirectory("settings"), "data");
  for (const [env, reason] of [
    [{ PORT: "eighty" }, /PORT: /],
    [{ COLLECTOR_AUTH: "maybe" }, /COLLECTOR_AUTH: /],
    [{ TRUSTED_PROXIES: "10.0.0.0/99" }, /10\.0\.0\.0\/99/],
    [{ JWT_SECRET: "short" }, /JWT_SECRET: /],
    [{ DATABASE_URL: "mysql://localhost/x" }, /DATABASE_URL: /],
    [
      { DATABASE_URL: "postgres://nobody:secret@127.0.0.1:1/none" },
      /DATABASE_URL: cannot connect: Connection refused/,
    ],
  ] as const) {
    const ended = await runToEnd(["serve", "--data", data], { env });
    expectOneLine(ended, reason);
    expect(ended.stderr).not.toContain("secret");
  }
});

test("a cluster of another PostgreSQL version", async () => {
  const data = await freshDataDirectory();
  writeFileSync(join(data, "postgres/18/PG_VERSION"), "17\n");
  expectOneLine(await runToEnd(["serve", "--data", data]), /made by PostgreSQL 17, this program carries 18/);
});

test("a schema newer than the program", async () => {
  const data = await freshDataDirectory();
  const server = await start(data);
  const socket = existsSync(join(data, "postgres/run/.s.PGSQL.5432")) ? join(data, "postgres/run") : null;
  expect(socket).not.toBeNull();
  const sql = new Bun.SQL({
    adapter: "postgres",
    path: join(socket!, ".s.PGSQL.5432"),
    username: "quintet",
    database: "quintet",
  });
  await sql`insert into migrations.applied (hash, created_at) values ('future', 9999999999999)`;
  await sql.close();
  server.kill("SIGTERM");
  await server.exited;
  expectOneLine(await runToEnd(["serve", "--data", data]), /made by a newer version of quintet/);
});

asRoot("as root below a directory that only root may enter", async () => {
  const directory = temporaryDirectory("private");
  chmodSync(directory, 0o700);
  const data = join(directory, "data");
  const server = await start(data);
  expect(await healthOf(server)).toBe(200);
  const status = readFileSync(`/proc/${postgresPid(data)}/status`, "utf8");
  expect(status).toMatch(/^Uid:\s+(?!0\b)/m);
  expect(status).toMatch(/^CapEff:\s+0+$/m);
});

asRoot("as root: PostgreSQL runs as another user, without root's groups", async () => {
  const data = await freshDataDirectory();
  await start(data);
  const status = readFileSync(`/proc/${postgresPid(data)}/status`, "utf8");
  expect(status).toMatch(/^Uid:\s+(?!0\b)/m);
  expect(status).toMatch(/^Groups:\s*$/m);
});

asRoot("as an ordinary user", async () => {
  const directory = temporaryDirectory("ordinary");
  chmodSync(directory, 0o777);
  const command = [
    "setpriv",
    "--reuid",
    String(nobody),
    "--regid",
    String(nobody),
    "--clear-groups",
    process.execPath,
  ];
  const server = await start(join(directory, "data"), {
    command: [...command, join(import.meta.dir, "../src/main.ts")],
    cwd: "/",
  });
  expect(await healthOf(server)).toBe(200);
});

test("a path too long for a socket", async () => {
  const data = join(temporaryDirectory("long"), "d".repeat(120), "data");
  const server = await start(data);
  expect(await healthOf(server)).toBe(200);
});
