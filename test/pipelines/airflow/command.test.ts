/** `quintet pipelines run`, as Airflow's tasks call it: by a server and by its database; what it prints and how it ends. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { until } from "../../support/logger.ts";
import { endless, fileRoot, type PipelinesClient, pipelinesClient, user } from "../../support/pipelines.ts";
import { freePort, hasPostgres, startPostgres, type TestPostgres } from "../../support/postgres.ts";
import { type Ended, runToEnd, startProcess } from "../../support/process.ts";
import {
  freshDataDirectory,
  startTestServer,
  type TestServer,
  temporaryDirectory,
} from "../../support/server.ts";

const files = fileRoot();
const main = join(import.meta.dir, "../../../src/main.ts");
const failing = [{ type: "sql", code: "select * from nothing_of_that_name" }];

interface Command {
  child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** Everything printed so far. */
  printed(): string;
  ended: Promise<Ended>;
}

/** Starts the command; what it prints can be looked at meanwhile. */
function begin(args: string[], env: Record<string, string>): Command {
  const child = Bun.spawn([process.execPath, main, "pipelines", ...args], {
    cwd: temporaryDirectory("command"),
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const read = async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) text += chunk;
  };
  const ended = Promise.all([child.exited, new Response(child.stderr).text(), read()]).then(
    ([status, stderr]) => ({ status, stderr, stdout: text }),
  );
  return { child, printed: () => text, ended };
}

const command = (args: string[], env: Record<string, string> = {}) =>
  runToEnd(["pipelines", ...args], { env, cwd: temporaryDirectory("command") });

test("what is wrong with the call itself is one line, and status 2", async () => {
  const lines: [string[], Record<string, string>, RegExp][] = [
    [["run", "1"], {}, /^quintet: QUINTET_URL with QUINTET_TOKEN, or DATABASE_URL, is needed/],
    [["run", "1"], { QUINTET_URL: "http://127.0.0.1:1" }, /^quintet: QUINTET_TOKEN, or QUINTET_USER and/],
    [["run", "1"], { QUINTET_URL: "ftp://x", QUINTET_TOKEN: "t" }, /^quintet: QUINTET_URL: not an http/],
    [["run", "run_1"], {}, /^quintet: "run_1" is not the id of a pipeline/],
    [["run", "1", "--version", "one"], {}, /^quintet: --version: not a number/],
    [["run", "1", "--parameters", "[1]"], {}, /^quintet: --parameters: a JSON object is expected/],
    [["run", "1", "--parameters", "{"], {}, /^quintet: --parameters: a JSON object is expected/],
    [["run", "1", "--run-id", "with space"], {}, /^quintet: --run-id: up to 200 ASCII characters/],
    [["list"], { DATABASE_URL: "postgres://127.0.0.1:1/x" }, /^quintet: ENCRYPTION_KEY, or DATA_DIR with/],
  ];
  for (const [args, env, line] of lines) {
    const { status, stdout, stderr } = await command(args, env);
    expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: "" });
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd()).not.toContain("\n");
  }
});

describe("by a server", () => {
  let server: TestServer;
  let client: PipelinesClient;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startTestServer({ PIPELINES_FILE_ROOTS: files });
    client = await pipelinesClient(() => server.url);
    env = { QUINTET_URL: `${server.url}/`, QUINTET_TOKEN: client.token };
  });

  afterAll(() => server.stop());

  test("it prints the log and ends with 0; under the same name it is the same run, at the version that was asked for", async () => {
    const id = await client.deploy();
    await client.call("PUT", `/pipelines/${id}`, { description: "later" });
    const args = ["run", id, "--run-id", "manual__2026-11-21T02:00:00+00:00", "--version", "2"];
    const all = await Promise.all([command(args, env), command([...args, "--parameters", "{}"], env)]);
    for (const { status, stdout, stderr } of all) {
      expect({ status, stderr }).toMatchObject({ status: 0, stderr: `quintet: run_1 of ${id}\n` });
      expect(stdout).toMatch(/^\d{4}-\S+Z info attempt 1, version 2\n.* 3 rows staged\n.*published/);
    }
    const other = await command(["run", id.replace("pipeline_", "")], env);
    expect(other).toMatchObject({ status: 0 });
    expect(other.stdout).toContain("attempt 1, version 1");
    const { body } = await client.call("GET", `/pipelines/${id}/runs`);
    expect(body.total).toBe(2);
    expect(await command(["run", id, "--version", "7"], env)).toMatchObject({
      status: 1,
      stderr: "quintet: The pipeline has no version 7\n",
    });
  });

  test("a run is followed through its retries to its end, which is status 1 when it failed", async () => {
    const config = { retries: 1, retry_delay_seconds: 0.2 };
    const id = await client.make({ transformations: failing, config });
    const { status, stdout, stderr } = await command(["run", id], env);
    expect(status).toBe(1);
    expect(stdout).toContain("attempt 1");
    expect(stderr).toMatch(/\nquintet: run_\d+ failed: .*nothing_of_that_name/);
    const { status: unknown, stderr: line } = await command(["run", "9999"], env);
    expect({ unknown, line }).toEqual({ unknown: 1, line: "quintet: Pipeline not found\n" });
    expect(await command(["run", id], { ...env, QUINTET_TOKEN: "bad" })).toMatchObject({ status: 1 });
  });

  test("stopped by SIGTERM it cancels the run and ends with 130", async () => {
    const id = await client.make({ transformations: endless });
    const { child, printed, ended } = begin(["run", id], env);
    await until(() => printed().includes("attempt 1"));
    child.kill("SIGTERM");
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    const [, run = ""] = /interrupted: (run_\d+) was cancelled/.exec(stderr) ?? [];
    expect(await client.look(id, run)).toMatchObject({ status: "cancelled" });
    // Cancelled by somebody else, it failed.
    const other = begin(["run", id], env);
    await until(() => other.printed().includes("attempt 1"));
    const { body } = await client.call("GET", `/pipelines/${id}/runs?limit=1`);
    await client.call("POST", `/pipelines/${id}/runs/${body.items[0].id}/cancel`);
    expect(await other.ended).toMatchObject({ status: 1 });
  });

  test("it lists pipelines", async () => {
    const id = await client.make({ name: "a name\nof two lines", schedule: "0 2 * * *" });
    const { status, stdout } = await command(["list"], env);
    expect(status).toBe(0);
    expect(stdout).toContain(`${id}\tdraft\tv1\t0 2 * * *\ta name of two lines\n`);
  });

  test("a server that starts anew is waited for, and logged in to again when its tokens are other ones", async () => {
    const [data, port] = [await freshDataDirectory(), String(await freePort())];
    const settings = (secret: string) => ({
      PORT: port,
      PIPELINES_FILE_ROOTS: files,
      JWT_SECRET: secret.repeat(32),
    });
    const url = `http://127.0.0.1:${port}`;
    const first = await startProcess(data, { env: settings("a") });
    const there = await pipelinesClient(() => url);
    const slow = [
      { type: "sql", code: "select * from input" },
      { type: "sql", code: "select max(a.range * b.range) as most from range(10000) a, range(100000) b" },
    ];
    const id = await there.make({ transformations: slow });
    const login = { QUINTET_URL: url, QUINTET_USER: user.username, QUINTET_PASSWORD: user.password };
    const { printed, ended } = begin(["run", id], login);
    await until(() => printed().includes("attempt 1"));
    first.kill("SIGKILL");
    await first.exited;
    const second = await startProcess(data, { env: settings("b") });
    const { status, stdout, stderr } = await ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain("published");
    second.kill("SIGTERM");
    await second.exited;
  });
});

(hasPostgres ? describe : describe.skip)("by the database", () => {
  let postgres: TestPostgres;
  let data: string;
  let env: Record<string, string>;
  let ids: Record<"plain" | "endless" | "failing" | "sealed", string>;
  let sql: SQL;

  const serve = () =>
    startTestServer({ DATA_DIR: data, DATABASE_URL: postgres.url, PIPELINES_FILE_ROOTS: files });

  beforeAll(async () => {
    postgres = await startPostgres();
    data = join(temporaryDirectory("server"), "data");
    const server = await serve();
    const client = await pipelinesClient(() => server.url);
    const { hostname, port, username, password, pathname } = new URL(postgres.url);
    const config = {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      ssl_mode: "disable",
      username,
      password: decodeURIComponent(password),
      query: "select 1 as id",
    };
    ids = {
      plain: await client.deploy(),
      endless: await client.deploy({ transformations: endless }),
      failing: await client.deploy({ transformations: failing }),
      sealed: await client.deploy({ sources: [{ type: "postgresql", config }] }),
    };
    await server.quintet.stop();
    env = { DATABASE_URL: postgres.url, DATA_DIR: data, PIPELINES_FILE_ROOTS: files };
    sql = new SQL({ url: postgres.url, max: 1 });
  });

  afterAll(async () => {
    await sql?.close();
    await postgres?.stop();
  });

  test("without a server it does the run itself, once", async () => {
    for (const id of [ids.plain, ids.sealed]) {
      const args = ["run", id, "--run-id", "scheduled__1"];
      for (let time = 0; time < 2; time++) {
        const { status, stdout, stderr } = await command(args, env);
        expect({ status, stderr }).toMatchObject({ status: 0 });
        expect(stdout).toContain("published");
      }
      const runs =
        await sql`select status, attempt, cause from pipelines.runs where idempotency_key = 'scheduled__1'
        and pipeline_id = ${Number(id.split("_")[1])}`;
      expect([...runs]).toEqual([{ status: "success", attempt: 1, cause: "command" }]);
    }
    const { stdout } = await command(["list"], env);
    expect(stdout.split("\n")).toHaveLength(5);
  });

  test("failed is 1, and interrupted 130 with the run cancelled", async () => {
    const bad = await command(["run", ids.failing], env);
    expect(bad).toMatchObject({ status: 1 });
    expect(bad.stderr).toContain("nothing_of_that_name");
    const { child, printed, ended } = begin(["run", ids.endless, "--run-id", "stopped"], env);
    await until(() => printed().includes("attempt 1"));
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ status: 130 });
    const [run] = await sql`select status, lease_owner from pipelines.runs where idempotency_key = 'stopped'`;
    expect(run).toEqual({ status: "cancelled", lease_owner: null });
  });

  test("beside a server it still does its run itself; a server follows up on one that was killed", async () => {
    const server = await serve();
    const client = await pipelinesClient(() => server.url);
    const { child, printed, ended } = begin(["run", ids.endless, "--run-id", "killed"], env);
    await until(() => printed().includes("attempt 1"));
    const owners = () =>
      sql`select id, lease_owner, attempt from pipelines.runs where idempotency_key = 'killed'`;
    const [mine] = await owners();
    child.kill("SIGKILL");
    await ended;
    const [theirs] = await until(async () => {
      const rows = await owners();
      return rows[0].attempt === 2 ? rows : null;
    }, 60);
    expect(theirs.lease_owner).not.toBe(mine.lease_owner);
    // Asked for under its name again it is followed, and cancelled where it is done.
    const again = begin(["run", ids.endless, "--run-id", "killed"], env);
    await until(() => again.printed().includes("attempt 2"));
    again.child.kill("SIGTERM");
    expect(await again.ended).toMatchObject({ status: 130 });
    expect(await client.ended(ids.endless, `run_${mine.id}`)).toMatchObject({ status: "cancelled" });
    await server.quintet.stop();
  });

  test("a database that is away, of another version or empty, and a key that is missing, are one line and status 2", async () => {
    const key = { ENCRYPTION_KEY: "a key of thirty-two characters or more" };
    const other = await command(["run", ids.sealed], { ...env, DATA_DIR: temporaryDirectory("none") });
    expect(other).toMatchObject({ status: 2 });
    expect(other.stderr).toContain("ENCRYPTION_KEY, or DATA_DIR");
    const wrong = await command(["run", ids.sealed], {
      ...env,
      ...key,
      DATA_DIR: temporaryDirectory("none"),
    });
    expect(wrong).toMatchObject({ status: 2 });
    expect(wrong.stderr).toContain("secrets in this database are sealed under another key");
    const away = await command(["run", "1"], { ...key, DATABASE_URL: "postgres://127.0.0.1:1/x" });
    expect(away).toMatchObject({ status: 2 });
    expect(away.stderr).toStartWith("quintet: DATABASE_URL: cannot connect");
    await sql`insert into migrations.applied (hash, created_at) values ('newer', 9999999999999)`;
    const newer = await command(["list"], env);
    expect(newer).toMatchObject({ status: 2 });
    expect(newer.stderr).toContain("a newer version of quintet");
    await sql`delete from migrations.applied where hash = 'newer'`;
    await sql`create database empty`;
    const empty = await command(["list"], {
      ...env,
      DATABASE_URL: postgres.url.replace(/postgres$/, "empty"),
    });
    expect(empty).toMatchObject({ status: 2 });
    expect(empty.stderr).toContain("holds nothing of quintet yet");
  });
});
