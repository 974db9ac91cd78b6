/** Staging and publishing: modes, drift, what is left when it ends in the middle. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { ConnectorError } from "../../../src/services/pipelines/connect/connector.ts";
import type { RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { hasPostgres } from "../../support/postgres.ts";
import { column, never, read, rowsOf, type Server, startServer, within, write } from "./support.ts";

const needsPostgres = hasPostgres ? test : test.skip;
let server: Server;
let run = 0;

beforeAll(async () => {
  if (hasPostgres) server = await startServer();
});
afterAll(async () => await server?.stop());
afterEach(async () => {
  await server?.admin.query("drop table if exists target cascade");
});

const idAndName = [column("id", "int32"), column("name", "text")];
const content = () => read(server.connector(), { query: "select * from target order by 1" });
const stages = () => server.one("select count(*) from pg_class where relname like 'quintet_stage_%'");

async function stage(request: Partial<Parameters<typeof write>[1]>, rows: RowStream, runId = `run_${++run}`) {
  return await server.connector().stage(write("target", request), rows, runId, never());
}

async function load(request: Partial<Parameters<typeof write>[1]>, text: string, columns = idAndName) {
  await (await stage(request, rowsOf(columns, text))).publish();
}

needsPostgres("append adds, replace leaves only the new, and both make the table", async () => {
  await load({}, "1\ta\n2\tb\n");
  await load({}, "3\t\\N\n");
  expect(await content()).toBe("1\ta\n2\tb\n3\t\\N\n");
  await server.admin.query(
    "create view seen as select * from target; create index kept on target (id); grant select on target to public",
  );
  await load({ mode: "replace" }, "9\tz\n");
  expect(await content()).toBe("9\tz\n");
  expect(await server.one("select count(*) from seen")).toBe("1");
  expect(await server.one("select count(*) from pg_indexes where indexname = 'kept'")).toBe("1");
  expect(await server.one("select has_table_privilege('pg_monitor', 'target', 'select')")).toBe("t");
  await server.admin.query("drop table target cascade");
  await load({ mode: "replace" }, "1\ta\n");
  expect(await content()).toBe("1\ta\n");
  expect(await stages()).toBe("0");
});

needsPostgres(
  "merge changes the rows whose keys are there and adds the others, with and without an index",
  async () => {
    for (const definition of [
      "id int primary key, name text",
      "id int, name text, other text default 'x'",
      "",
    ]) {
      if (definition) await server.admin.query(`create table target (${definition})`);
      await load({ mode: "merge", key: ["id"] }, "1\ta\n2\tb\n");
      await load({ mode: "merge", key: ["id"] }, "2\tB\n3\tc\n");
      expect(await read(server.connector(), { query: "select id, name from target order by 1" })).toBe(
        "1\ta\n2\tB\n3\tc\n",
      );
      await server.admin.query("drop table target");
    }
    await load({ mode: "merge", key: ["name", "id"] }, "1\ta\n1\tb\n");
    expect(
      await server.one("select count(*) from pg_index where indrelid = 'target'::regclass and indisprimary"),
    ).toBe("1");
    await load({ mode: "merge", key: ["id", "name"] }, "1\ta\n1\tc\n");
    expect(await content()).toBe("1\ta\n1\tb\n1\tc\n");
  },
);

needsPostgres("merge refuses rows that share a key or have none, and says which", async () => {
  const merging = (text: string, key: string[]) => stage({ mode: "merge", key }, rowsOf(idAndName, text));
  await expect(merging("1\ta\n1\tb\n", ["id"])).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining("same key: id"),
  });
  await expect(merging("1\ta\n1\ta\n", ["id", "name"])).rejects.toThrow("same key: id, name");
  await expect(merging("\\N\ta\n", ["id"])).rejects.toThrow("NULL in the key: id");
  await expect(merging("1\ta\n", ["other"])).rejects.toMatchObject({ code: "schema" });
  await expect(merging("1\ta\n", [])).rejects.toMatchObject({ code: "refused" });
  expect(await stages()).toBe("0");
});

needsPostgres("what is published twice is there once, by the same hand and by a repeated run", async () => {
  const staged = await stage({}, rowsOf(idAndName, "1\ta\n"), "once");
  expect(staged.rows).toBe(1);
  await staged.publish();
  await staged.publish();
  await (await stage({}, rowsOf(idAndName, "1\ta\n"), "once")).publish();
  expect(await content()).toBe("1\ta\n");
  const two = await Promise.all([1, 2].map((n) => stage({}, rowsOf(idAndName, `${n}\tb\n`), `together${n}`)));
  await server.admin.query("drop table target, quintet_published");
  await Promise.all(two.map((each) => each.publish()));
  expect(await content()).toBe("1\tb\n2\tb\n");
});

needsPostgres("runs are remembered for as long as they may come again, and no longer", async () => {
  await load({}, "1\ta\n");
  await server.admin.query("update quintet_published set at = now() - interval '91 days'");
  await (await stage({}, rowsOf(idAndName, "2\tb\n"), "later")).publish();
  expect(await server.one("select string_agg(run_id, ' ') from quintet_published")).toBe("later");
});

needsPostgres("a run that ends between staging and publishing leaves the target as it was", async () => {
  await load({}, "1\ta\n");
  const abort = new AbortController();
  const connector = server.connector();
  const staged = await connector.stage(
    write("target", { mode: "replace" }),
    rowsOf(idAndName, "2\tb\n"),
    "killed",
    abort.signal,
  );
  await server.admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'quintet' and pid <> pg_backend_pid()",
  );
  expect(await content()).toBe("1\ta\n");
  expect(await stages()).toBe("1");
  const count = () => staged.ask(`select count(*) from ${staged.table}`).catch(() => null);
  await within(5_000, async () => (await count()) === "1");
  // The next run of this name finds what was left and puts its own in its place.
  const again = await stage({ mode: "replace" }, rowsOf(idAndName, "3\tc\n"), "killed");
  await again.publish();
  expect(await content()).toBe("3\tc\n");
  const third = await connector.stage(write("target"), rowsOf(idAndName, "4\td\n"), "aborted", abort.signal);
  abort.abort(new Error("enough"));
  await expect(third.publish()).rejects.toThrow("enough");
  await third.discard();
  expect([await content(), await stages()]).toEqual(["3\tc\n", "0"]);
});

needsPostgres(
  "a table that is missing is the staging table itself, unless somebody made it meanwhile",
  async () => {
    const merging = { mode: "merge", key: ["id"] } as const;
    const strict = [column("id", "int32", false), column("name", "text")];
    const first = await stage(merging, rowsOf(strict, "1\ta\n"), "becomes");
    const second = await stage(merging, rowsOf(strict, "1\tb\n2\tc\n"), "merges");
    await first.publish();
    await second.publish();
    await second.publish();
    expect([await content(), await stages()]).toEqual(["1\tb\n2\tc\n", "0"]);
    const key = "select indexdef from pg_indexes where tablename = 'target' and indexname = 'target_pkey'";
    expect(await server.one(key)).toContain("UNIQUE INDEX target_pkey ON public.target USING btree (id)");
    expect(await server.one("select relpersistence from pg_class where relname = 'target'")).toBe("p");
    const nullable =
      "select string_agg(column_name, ' ') from information_schema.columns where table_name = 'target' and is_nullable = 'YES'";
    expect(await server.one(nullable)).toBe("name");
  },
);

needsPostgres("staged rows that a crash of the server took are missed, and replace nothing", async () => {
  const own = await startServer();
  await own.admin.query("create table target (id int, name text); insert into target values (1, 'kept')");
  const rows = rowsOf(idAndName, "2\tb\n");
  const connector = own.connector();
  const staged = await connector.stage(write("target", { mode: "replace" }), rows, "crashed", never());
  process.kill(Number(await own.one("select pg_backend_pid()")), "SIGKILL");
  const publishing = async () => {
    for (;;)
      try {
        return await staged.publish();
      } catch (error) {
        if (!(error instanceof ConnectorError) || error.code === "refused") throw error;
        await Bun.sleep(50);
      }
  };
  await expect(publishing()).rejects.toThrow("PostgreSQL crashed meanwhile");
  expect(await read(connector, { table: "target" })).toBe("1\tkept\n");
  await own.stop();
});

needsPostgres("a publication that fails changes nothing and can be thrown away", async () => {
  await server.admin.query(
    "create table target (id int unique, name text); insert into target values (1, 'a')",
  );
  const staged = await stage({}, rowsOf(idAndName, "2\tb\n1\tc\n"), "doomed");
  await expect(staged.publish()).rejects.toMatchObject({ code: "refused" });
  expect(await content()).toBe("1\ta\n");
  expect(await server.one("select count(*) from quintet_published where run_id = 'doomed'")).toBe("0");
  await staged.discard();
  expect(await stages()).toBe("0");
});

needsPostgres("rows with more columns are refused, or the columns are added", async () => {
  await server.admin.query("create table target (id int); insert into target values (1)");
  await expect(stage({}, rowsOf(idAndName, "2\tb\n"))).rejects.toMatchObject({
    code: "schema",
    message: expect.stringContaining("name"),
  });
  const tags = { name: "tags", type: { kind: "array", of: { kind: "int32" } }, nullable: true } as const;
  await load({ onSchemaChange: "add_columns" }, "2\tb\t[1,null]\n", [...idAndName, tags]);
  expect(await content()).toBe("1\t\\N\t\\N\n2\tb\t[1,null]\n");
});

needsPostgres("rows with fewer columns are refused when the table needs more", async () => {
  await server.admin.query(
    "create table target (id int, name text, must text not null, may text not null default 'x', n serial)",
  );
  await expect(stage({}, rowsOf(idAndName, "2\tb\n"))).rejects.toMatchObject({
    code: "schema",
    message: expect.stringMatching(/requires: must$/),
  });
  await server.admin.query("alter table target drop column must");
  await load({}, "2\tb\n");
  expect(await content()).toBe("2\tb\tx\t1\n");
});

needsPostgres("columns that the server numbers take values, ones that it computes do not", async () => {
  await server.admin.query(
    "create table target (id int generated always as identity primary key, name text)",
  );
  await load({ mode: "merge", key: ["id"] }, "7\ta\n");
  await load({ mode: "merge", key: ["id"] }, "7\tb\n");
  expect(await content()).toBe("7\tb\n");
  await server.admin.query(
    "drop table target; create table target (id int, name text generated always as (id::text) stored)",
  );
  await expect(stage({}, rowsOf(idAndName, "7\ta\n"))).rejects.toMatchObject({ code: "schema" });
});

needsPostgres("a value that does not fit is refused where it stands, and nothing is left", async () => {
  await server.admin.query("create table target (id int, name varchar(3))");
  await expect(stage({}, rowsOf(idAndName, "1\ta\nx\tb\n"))).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining("line 2, column id"),
  });
  await expect(stage({}, rowsOf(idAndName, "1\tabcd\n"))).rejects.toMatchObject({ code: "refused" });
  await expect(
    stage(
      {},
      {
        columns: idAndName,
        chunks: (async function* () {
          yield Buffer.from("1\ta\n");
          throw new Error("the source broke");
        })(),
      },
    ),
  ).rejects.toThrow("the source broke");
  expect(await stages()).toBe("0");
});

needsPostgres("values become what the table wants", async () => {
  await server.admin.query(
    "create type mood as enum ('ok'); create table target (id numeric(10,2), name mood, tags text, list jsonb, at timestamptz, sure text)",
  );
  const rows = rowsOf(
    [
      column("id", "int32"),
      column("name", "text"),
      { name: "tags", type: { kind: "array", of: { kind: "text" } }, nullable: true },
      { name: "list", type: { kind: "array", of: { kind: "int32" } }, nullable: true },
      { name: "at", type: { kind: "timestamp", zoned: false }, nullable: true },
      { name: "sure", type: { kind: "boolean" }, nullable: true },
    ],
    '1\tok\t["a"]\t[1, 2]\t2025-01-31 00:00:00\t1\n',
  );
  await (await stage({}, rows)).publish();
  expect(await content()).toBe('1.00\tok\t["a"]\t[1, 2]\t2025-01-31 00:00:00\t1\n');
});

needsPostgres("questions about staged rows can only ask", async () => {
  const staged = await stage({}, rowsOf(idAndName, "1\ta\n2\tb\n"));
  expect(await staged.ask(`select count(*) from ${staged.table}`)).toBe("2");
  expect(await staged.ask("select null")).toBeNull();
  for (const sql of [
    `delete from ${staged.table} returning 1`,
    "select 1; select 2",
    "commit",
    "set transaction read write",
    "create table x ()",
    "select set_config('transaction_read_only', 'off', true)",
  ])
    await expect(staged.ask(sql)).rejects.toMatchObject({ name: "ConnectorError" });
  expect(await staged.ask("select set_config('search_path', 'nowhere', false)")).toBe("nowhere");
  await staged.publish();
  expect(await content()).toBe("1\ta\n2\tb\n");
});

needsPostgres("an abort while rows come ends the session within 2 s and leaves nothing", async () => {
  const abort = new AbortController();
  const chunks = (async function* () {
    for (let id = 0; ; id++) {
      yield Buffer.from(`${id}\tx\n`.repeat(1_000));
      if (id === 100) abort.abort(new Error("enough"));
      await Bun.sleep(0);
    }
  })();
  await expect(
    server.connector().stage(write("target"), { columns: idAndName, chunks }, "aborted_in", abort.signal),
  ).rejects.toThrow("enough");
  await within(
    2_000,
    async () => (await server.one("select count(*) from pg_stat_activity where query ilike 'copy%'")) === "0",
  );
  expect(await stages()).toBe("0");
});

needsPostgres("an abort while the table is locked by others ends at once", async () => {
  await load({}, "1\ta\n");
  const abort = new AbortController();
  const staged = await server
    .connector()
    .stage(write("target", { mode: "replace" }), rowsOf(idAndName, "2\tb\n"), "waits", abort.signal);
  await server.admin.query("begin; lock table target");
  const published = staged.publish();
  setTimeout(() => abort.abort(new Error("enough")), 200);
  await expect(published).rejects.toThrow("enough");
  await within(
    2_000,
    async () => (await server.one("select count(*) from pg_locks where not granted")) === "0",
  );
  await server.admin.query("rollback");
  await staged.discard();
  expect([await content(), await stages()]).toEqual(["1\ta\n", "0"]);
});
