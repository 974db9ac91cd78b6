/** The partitions of the logs as the days go by: made ahead, indexed when they are over, dropped at the end of the retention. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { OpenedDatabase } from "../../src/platform/database/open.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { Partitions } from "../../src/services/logger/partitions.ts";
import { openCopy } from "../support/database.ts";

const day = 86_400_000;
const noon = Date.parse("2030-01-10T12:00:00Z");
let database: OpenedDatabase;
/** Now, in milliseconds: noon of the first day until a test lets time pass. */
let clock: number;

beforeAll(async () => {
  database = await openCopy();
});

afterAll(() => database.close());

/** As at the very first start: no partition at all. */
beforeEach(async () => {
  clock = noon;
  for (const name of await partitionNames()) await database.sql.unsafe(`drop table logger.${name}`);
});

const open = (retentionDays = 0) =>
  new Partitions({ sql: database.sql, log: createLog("silent"), now: () => clock, retentionDays });

async function partitionNames(): Promise<string[]> {
  const rows = await database.sql`select relname as name from pg_inherits
    join pg_class on oid = inhrelid where inhparent = 'logger.logs'::regclass order by 1`;
  return rows.map(({ name }) => name);
}

/** Stores a log of a time; answers the partition that it went to. */
async function store(at: number, message = "hay"): Promise<string> {
  const [row] =
    await database.sql`insert into logger.logs (id, project_id, at, level, message, tags, metadata)
    values (1, 1, ${new Date(at)}, 'INFO', ${message}, '{}', '{}') returning tableoid::regclass::text as name`;
  return row!.name;
}

interface Index {
  id: number;
  name: string;
  valid: boolean;
  definition: string;
}

/** The indexes of words. */
const wordIndexes = () =>
  database.sql<Index[]>`select indexrelid::int as id, relname as name, indisvalid as valid,
      pg_get_indexdef(indexrelid) as definition
    from pg_index join pg_class on oid = indexrelid where relname like '%\\_words' order by relname`;

test("one a day from yesterday on, three days ahead, and one for all that is older, whoever makes them", async () => {
  await Promise.all(Array.from({ length: 4 }, () => open().ensure()));
  expect(await partitionNames()).toEqual([
    "logs_20300109",
    "logs_20300110",
    "logs_20300111",
    "logs_20300112",
    "logs_20300113",
    "logs_older",
  ]);
  expect(await store(0)).toBe("logger.logs_older");
  expect(await store(Date.parse("2030-01-08T23:59:59.999Z"))).toBe("logger.logs_older");
  expect(await store(Date.parse("2030-01-09T00:00:00Z"))).toBe("logger.logs_20300109");
  expect(await store(noon)).toBe("logger.logs_20300110");
});

test("as days go by, the furthest time that is taken always has its partition", async () => {
  const partitions = open();
  for (; clock < noon + 30 * day; clock += day) {
    await partitions.tend();
    const furthest = clock + 2 * day;
    const date = new Date(furthest).toISOString().slice(0, 10).replaceAll("-", "");
    expect(await store(furthest)).toBe(`logger.logs_${date}`);
  }
});

test("a day that is over gets its index of words, once; today and days to come get none", async () => {
  const partitions = open();
  await partitions.tend();
  const built = await wordIndexes();
  expect(built.map(({ name }) => name)).toEqual(["logs_20300109_words", "logs_older_words"]);
  for (const { valid, definition } of built) {
    expect(valid).toBe(true);
    expect(definition).toContain("USING gin (message gin_trgm_ops)");
  }
  await Promise.all([partitions.tend(), open().tend()]);
  expect(await wordIndexes()).toEqual(built);
  clock += day;
  await partitions.tend();
  expect((await wordIndexes()).map(({ name }) => name)).toEqual([
    "logs_20300109_words",
    "logs_20300110_words",
    "logs_older_words",
  ]);
});

test("words are looked for with the index", async () => {
  await open().ensure();
  await store(noon, "Иголка в стоге");
  clock += day;
  await open().tend();
  const plan = await database.sql.begin(async (tx) => {
    await tx`set local enable_seqscan = off`;
    return await tx`explain select 1 from logger.logs where message ilike '%иголка%'`;
  });
  expect(JSON.stringify(plan)).toContain("logs_20300110_words");
});

test("an index that a broken build left invalid is built anew", async () => {
  await open().ensure();
  for (let n = 0; n < 2; n++) await store(noon - day, "twice the same");
  const broken = database.sql.unsafe(
    "create unique index concurrently logs_20300109_words on logger.logs_20300109 (message)",
  );
  expect(await broken.catch(({ code }) => code)).toBe("23505");
  expect((await wordIndexes())[0]).toMatchObject({ name: "logs_20300109_words", valid: false });
  await open().tend();
  expect((await wordIndexes())[0]).toMatchObject({
    name: "logs_20300109_words",
    valid: true,
    definition: expect.stringContaining("gin_trgm_ops"),
  });
});

test("days beyond the retention are dropped whole, older logs row by row, all others stay", async () => {
  const keeping = open(3);
  await keeping.ensure();
  for (const age of [400, 40, 2]) await store(noon - age * day);
  for (; clock < noon + 6 * day; clock += day) {
    await keeping.ensure();
    await store(clock);
  }
  await open().tend();
  const times = async () =>
    (await database.sql`select at from logger.logs order by at`).map(({ at }) => (at as Date).getTime());
  expect(await times()).toHaveLength(9);
  await keeping.tend();
  expect((await partitionNames()).filter((name) => name < "logs_20300116")).toEqual([
    "logs_20300113",
    "logs_20300114",
    "logs_20300115",
  ]);
  expect(await partitionNames()).toContain("logs_older");
  expect(await times()).toEqual([noon + 3 * day, noon + 4 * day, noon + 5 * day]);
  expect(keeping.oldest()).toBe(noon + 3 * day);
});

test("after days without a server, logs of those days have a partition", async () => {
  await open().ensure();
  clock += 10 * day;
  await open().tend();
  await store(noon + 5 * day);
});
