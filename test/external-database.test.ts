/** `DATABASE_URL`: a PostgreSQL that somebody else runs, shared by several servers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { collectTree, followJob, waitForResult } from "./support/collector.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "./support/postgres.ts";
import { runToEnd, type ServerProcess, startProcess } from "./support/process.ts";
import { temporaryDirectory } from "./support/server.ts";

const needsPostgres = hasPostgres ? test : test.skip;

let directory: string;
let postgres: TestPostgres;
let url: string;
const servers: ServerProcess[] = [];

beforeAll(async () => {
  if (!hasPostgres) return;
  directory = temporaryDirectory("servers");
  postgres = await startPostgres();
  url = postgres.url;
});

afterAll(async () => {
  for (const server of servers) {
    server.kill("SIGKILL");
    await server.exited;
  }
  await postgres?.stop();
});

async function start(name: string): Promise<ServerProcess> {
  const server = await startProcess(join(directory, name), {
    env: { DATABASE_URL: url, ENCRYPTION_KEY: "one key of all servers, long enough" },
  });
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
