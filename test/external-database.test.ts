/** `DATABASE_URL`: a PostgreSQL that somebody else runs, shared by several servers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import { collectTree, followJob, waitForResult } from "./support/collector.ts";
import { runToEnd, type ServerProcess, startProcess } from "./support/process.ts";
import { temporaryDirectory } from "./support/server.ts";

const versions = "/usr/lib/postgresql";

/** Programs of the system's PostgreSQL (Debian's layout); null when there is none. */
function systemPostgres(): string | null {
  try {
    const [newest] = readdirSync(versions).toSorted().reverse();
    return newest ? join(versions, newest, "bin") : null;
  } catch {
    return null;
  }
}

const programs = systemPostgres();
if (!programs) console.warn("skipping tests of an external database: PostgreSQL is not installed");
const needsPostgres = programs || process.env.CI === "true" ? test : test.skip;
const asPostgres =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

let directory: string;
let url: string;
const servers: ServerProcess[] = [];

const freePort = () =>
  new Promise<number>((resolve) => {
    const holder = createServer().listen(0, "127.0.0.1", () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });

beforeAll(async () => {
  if (!programs) return;
  directory = temporaryDirectory("external");
  const cluster = join(directory, "cluster");
  mkdirSync(cluster);
  if (asPostgres.length > 0) await $`chown postgres:postgres ${cluster}`;
  const port = await freePort();
  writeFileSync(join(directory, "password"), "letters and digits 1", { mode: 0o644 });
  const make = [
    "-D",
    cluster,
    "-U",
    "owner",
    "-A",
    "scram-sha-256",
    `--pwfile=${join(directory, "password")}`,
    "--no-sync",
  ];
  await $`${asPostgres} ${join(programs, "initdb")} ${make}`.quiet();
  const settings = `-p ${port} -k ${cluster} -c listen_addresses=127.0.0.1`;
  await $`${asPostgres} ${join(programs, "pg_ctl")} -D ${cluster} -w -l ${join(cluster, "log")} -o ${settings} start`.quiet();
  url = `postgres://owner:${encodeURIComponent("letters and digits 1")}@127.0.0.1:${port}/postgres`;
});

afterAll(async () => {
  for (const server of servers) {
    server.kill("SIGKILL");
    await server.exited;
  }
  if (programs)
    await $`${asPostgres} ${join(programs, "pg_ctl")} -D ${join(directory, "cluster")} -m immediate stop`.quiet();
});

async function start(name: string): Promise<ServerProcess> {
  const server = await startProcess(join(directory, name), { env: { DATABASE_URL: url } });
  servers.push(server);
  return server;
}

needsPostgres(
  "servers that start together on an empty database migrate it once and share jobs and keys",
  async () => {
    const [one, two] = await Promise.all([start("one"), start("two")]);
    for (const { url } of [one, two]) expect((await fetch(`${url}/health`)).status).toBe(200);
    const target = join(directory, "target");
    const { job_id } = await collectTree(one.url, { source_paths: ["/etc/hosts"], target_path: target });
    const { frames, code } = await followJob(two.url, job_id);
    expect(frames.at(-1)).toMatchObject({ status: "completed" });
    expect(code).toBe(1000);
    expect(await waitForResult(two.url, job_id)).toMatchObject({ results: { processed_files: 1 } });

    const headers = { "Content-Type": "application/json" };
    const made = await fetch(`${one.url}/api/v1/auth/api-key`, {
      method: "POST",
      headers,
      body: '{"name": "shared"}',
    });
    const { api_key } = (await made.json()) as { api_key: string };
    const use = (server: ServerProcess) =>
      fetch(`${server.url}/api/v1/jobs`, { headers: { "X-API-Key": api_key } }).then(({ status }) => status);
    expect(await use(two)).toBe(200);
    await fetch(`${one.url}/api/v1/auth/api-key/shared`, { method: "DELETE" });
    for (let status = 200; status !== 401; await Bun.sleep(10)) status = await use(two);
  },
);

needsPostgres("a wrong password is one line that does not repeat it", async () => {
  const env = { DATABASE_URL: url.replace(/:[^:@/]+@/, ":wrong-secret@") };
  const { status, stderr } = await runToEnd(["serve", "--data", join(directory, "three")], { env });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^quintet: DATABASE_URL: cannot connect: password authentication failed for user "owner"\n$/,
  );
});
