/** A full disk where runs keep their files: whatever needs one fails and says so, leaves everything as it was, and works again when there is space. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { until } from "../support/logger.ts";
import { type PipelinesClient, pipelinesClient } from "../support/pipelines.ts";
import { type Rows, startRows } from "../support/pipelines-rows.ts";
import { hasPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory, temporaryDirectory } from "../support/server.ts";

const isRoot = process.getuid?.() === 0;

/** Whether a file system may be mounted here; in a container even root often may not. */
async function mayMount(): Promise<boolean> {
  const directory = temporaryDirectory("mount");
  return (await $`mount -t tmpfs tmpfs ${directory} && umount ${directory}`.nothrow().quiet()).exitCode === 0;
}

const hasMount = isRoot && (process.env.CI === "true" || (await mayMount()));
if (!hasMount) console.warn("skipping tests of a full disk: only root, where it may mount, can have one");
const needsMount = hasMount ? test : test.skip;
const hasPython = Bun.which("bwrap") !== null || process.env.CI === "true";
if (!hasPython) console.warn("skipping tests of Python on a full disk: bubblewrap is not installed");

(hasPostgres ? describe : describe.skip)("a full disk", () => {
  let rows: Rows;
  let server: ServerProcess;
  let client: PipelinesClient;
  /** Where the server keeps what runs need. */
  let staging: string;
  /** Where pipelines may write files. */
  let files: string;
  const mounted: string[] = [];

  beforeAll(async () => {
    rows = await startRows();
    await rows.sql`create table source (id int primary key, text text not null)`;
    await rows.sql`insert into source select n, repeat(md5(n::text), 4) from generate_series(1, 50000) n`;
    const directory = await freshDataDirectory();
    staging = join(directory, "pipelines/runs");
    files = temporaryDirectory("full-files");
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    server = await startProcess(directory, { env: { PIPELINES_FILE_ROOTS: files } });
    client = await pipelinesClient(() => server.url);
  });

  afterAll(async () => {
    server.kill("SIGTERM");
    await server.exited;
    await rows.stop();
  });

  beforeEach(async () => {
    await rows.sql`drop table if exists target, second`;
    await rows.sql`create table target (id int, text text)`;
    await rows.sql`insert into target values (0, 'before')`;
  });

  afterEach(async () => {
    // An open file, even one without a name, would keep it busy.
    for (const directory of mounted.splice(0)) await $`umount ${directory}`;
  });

  async function mount(directory: string, options: string): Promise<void> {
    await $`mount -t tmpfs -o ${options} tmpfs ${directory}`;
    mounted.push(directory);
  }

  const small = () => rows.endpoint({ query: "select 1 as id, 'one' as text" });
  const large = () => rows.endpoint({ table: "source" });
  const target = () => rows.endpoint({ table: "target" });

  const make = (definition: object, config: object = {}) =>
    client.make({
      sources: [large()],
      targets: [target()],
      ...definition,
      config: { mode: "append", retries: 0, ...config },
    });

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  async function run(pipeline: string): Promise<any> {
    const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
    return await client.ended(pipeline, body.run_id);
  }

  /** Nothing is left of a run, on the disk or in the target's database, and the server is well. */
  async function expectNothingLeft(): Promise<void> {
    expect(readdirSync(staging)).toEqual([]);
    expect(readdirSync(join(staging, "..")).filter((name) => name !== "runs")).toEqual([]);
    await until(() => openFiles().every((path) => !path.startsWith(staging)));
    expect(await rows.leftovers()).toEqual([]);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  }

  /** What the server has open, by the names that the files had. */
  function openFiles(): string[] {
    const descriptors = `/proc/${server.pid}/fd`;
    return readdirSync(descriptors).flatMap((descriptor) => {
      try {
        return [readlinkSync(join(descriptors, descriptor))];
      } catch {
        return [];
      }
    });
  }

  interface Need {
    need: string;
    isPython?: boolean;
    definition(): object;
    /** Rows of the target after a run that had space. */
    loaded: number;
    message: RegExp;
  }

  const full = /^No space left on device$/;
  const python = (code: string) => [{ type: "python", code }];
  const sql = (...codes: string[]) => codes.map((code) => ({ type: "sql", code }));
  const needed: Need[] = [
    {
      need: "two targets that are given the same rows",
      definition: () => ({ targets: [target(), rows.endpoint({ table: "second" })] }),
      loaded: 50_000,
      message: full,
    },
    {
      need: "SQL over rows that were not asked of a database",
      definition: () => ({
        transformations: sql("select * from input", "select * from input order by text"),
      }),
      loaded: 50_000,
      message: full,
    },
    {
      need: "SQL that needs more than its memory",
      definition: () => ({
        sources: [small()],
        transformations: sql(
          `select 1::int as id, max(m) as text from (select m, row_number() over (order by m) as place
            from (select repeat(md5(range::text), 10) as m from range(1200000)))`,
        ),
      }),
      loaded: 1,
      message: /failed to offload data block/,
    },
    {
      need: "rows that go into Python",
      isPython: true,
      definition: () => ({ transformations: python("df") }),
      loaded: 50_000,
      message: full,
    },
    {
      need: "rows that come out of Python",
      isPython: true,
      definition: () => ({
        sources: [small()],
        transformations: python("pd.DataFrame({'id': range(100000), 'text': ['x' * 50] * 100000})"),
      }),
      loaded: 100_000,
      message: /No space left on device/,
    },
  ];

  for (const { need, isPython, definition, loaded, message } of needed)
    (isPython && !hasPython ? test.skip : needsMount)(
      `${need}: fails, and runs when there is space`,
      async () => {
        await mount(staging, "size=2m,mode=0700");
        const pipeline = await make(definition());
        const failed = await run(pipeline);
        expect(failed).toMatchObject({ status: "failed", error: { code: "PIPELINE_EXECUTION_ERROR" } });
        expect(failed.error.message).toMatch(message);
        expect(await rows.sql`select id, text from target`.values()).toEqual([[0, "before"]]);
        expect(await rows.sql`select from pg_tables where tablename = 'second'`).toHaveLength(0);
        await expectNothingLeft();
        await $`mount -o remount,size=2g ${staging}`;
        const { status, error } = await run(pipeline);
        expect({ status, error }).toEqual({ status: "success", error: undefined });
        expect(await rows.count("target")).toBe(1 + loaded);
        await expectNothingLeft();
      },
    );

  needsMount("tried again by itself it succeeds as soon as there is space", async () => {
    await mount(staging, "size=2m,mode=0700");
    const pipeline = await make(
      { targets: [target(), rows.endpoint({ table: "second" })] },
      { retries: 20, retry_delay_seconds: 0.1 },
    );
    const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
    await until(async () => (await client.look(pipeline, body.run_id)).attempt > 1);
    await $`mount -o remount,size=2g ${staging}`;
    const done = await client.ended(pipeline, body.run_id);
    expect(done).toMatchObject({ status: "success", rows_processed: 50_000 });
    expect(await Promise.all(["target", "second"].map(rows.count))).toEqual([50_001, 50_000]);
    await expectNothingLeft();
  });

  (hasPython && hasMount ? test : test.skip)(
    "rows that come out of Python: also tried again by itself",
    async () => {
      await mount(staging, "size=2m,mode=0700");
      const [{ definition }] = needed.slice(-1) as [Need];
      const pipeline = await make(definition(), { retries: 20, retry_delay_seconds: 0.1 });
      const { body } = await client.call("POST", `/pipelines/${pipeline}/run`);
      await until(async () => {
        const { attempt, status } = await client.look(pipeline, body.run_id);
        expect(status).not.toBe("failed");
        return attempt > 1;
      });
      await $`mount -o remount,size=2g ${staging}`;
      expect(await client.ended(pipeline, body.run_id)).toMatchObject({ status: "success" });
    },
  );

  needsMount("not even a directory can be made: it fails the same way", async () => {
    await mount(staging, "size=2m,nr_inodes=1,mode=0700");
    const pipeline = await make({});
    const failed = await run(pipeline);
    expect(failed).toMatchObject({ status: "failed", error: { code: "PIPELINE_EXECUTION_ERROR" } });
    expect(failed.error.message).toMatch(full);
    await expectNothingLeft();
    await $`mount -o remount,nr_inodes=1000 ${staging}`;
    expect(await run(pipeline)).toMatchObject({ status: "success" });
    expect(await rows.count("target")).toBe(50_001);
  });

  (hasMount ? test : test.skip)(
    "the disk of a second target: the first one's staging table goes, too",
    async () => {
      await mount(files, "size=1m");
      const pipeline = await make({
        targets: [target(), { type: "csv", config: { path: join(files, "out.csv") } }],
      });
      expect(await run(pipeline)).toMatchObject({ status: "failed" });
      expect(await rows.count("target")).toBe(1);
      expect(readdirSync(files)).toEqual([]);
      await expectNothingLeft();
    },
  );
});
