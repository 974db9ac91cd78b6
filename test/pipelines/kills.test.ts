/** A server that is killed in each phase of a run: the target stays as it was until everything is there, and the next start carries on to the end, once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { ask, logIn, register } from "../support/accounts.ts";
import { until } from "../support/logger.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory } from "../support/server.ts";

const rows = 200_000;

(hasPostgres ? describe : describe.skip)("killed", () => {
  let database: TestPostgres;
  let server: ServerProcess;
  let directory: string;
  let token: string;
  let sql: SQL;
  let pipeline: string;

  beforeAll(async () => {
    database = await startPostgres();
    directory = await freshDataDirectory();
    server = await startProcess(directory);
    await register(server.url, "admin");
    token = (await logIn(server.url, "admin")).body.access_token;
    sql = new SQL({ url: database.url, max: 2 });
    await sql`create table source (id int primary key, text text not null)`;
    await sql`insert into source select n, md5(n::text) from generate_series(1, ${rows}::int) n`;
    await sql`create table target (like source)`;
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const config = {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      ssl_mode: "disable",
      username,
      password: decodeURIComponent(password),
    };
    const { body } = await call("POST", "/pipelines", {
      name: "killed",
      sources: [{ type: "postgresql", config: { ...config, table: "source" } }],
      targets: [{ type: "postgresql", config: { ...config, table: "target" } }],
    });
    pipeline = body.id;
  });

  afterAll(async () => {
    server.kill("SIGTERM");
    await server.exited;
    await sql.close();
    await database.stop();
  });

  const call = (method: string, path: string, body?: unknown) =>
    ask(server.url, method, `/api/v1${path}`, { token, ...(body === undefined ? {} : { body }) });
  const count = async () => Number((await sql`select count(*) as count from target`)[0].count);

  test("at ten moments of a run", async () => {
    for (let kill = 0; kill < 10; kill++) {
      const before = await count();
      const { body } = await call("POST", `/pipelines/${pipeline}/run`);
      await Bun.sleep(30 + kill * 60);
      server.kill("SIGKILL");
      await server.exited;
      const after = await count();
      expect([before, before + rows]).toContain(after);
      server = await startProcess(directory);
      const run = await until(async () => {
        const { body: found } = await call("GET", `/pipelines/${pipeline}/runs/${body.run_id}`);
        return found.status === "success" || found.status === "failed" ? found : null;
      }, 60);
      expect(run).toMatchObject({ status: "success", rows_processed: rows });
      expect(await count()).toBe(before + rows);
      expect(await sql`select from pg_tables where tablename like 'quintet_stage%'`).toHaveLength(0);
    }
  });
});
