/** Users' SQL over rows: what it may do, what it may not, how it ends, and what it costs. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommonType, RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { openDatabase, type Parameters } from "../../../src/services/pipelines/run/duckdb/database.ts";
import { DuckDbError } from "../../../src/services/pipelines/run/duckdb/duckdb-error.ts";
import { transform } from "../../../src/services/pipelines/run/duckdb/transform.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { rawStream, stream, testDatabase, textOf } from "./rows.ts";

const people: Record<string, CommonType> = {
  id: { kind: "int64" },
  name: { kind: "text" },
  born: { kind: "date" },
};
const rows = [
  ["1", "Анна", "2001-01-01"],
  ["2", "Борис", "2002-02-02"],
  ["3", null, null],
];

async function answer(sql: string, parameters: Parameters = []): Promise<string> {
  const database = await testDatabase();
  try {
    return await textOf(await transform(database, stream(people, rows), sql, parameters));
  } finally {
    database.close();
  }
}

/** What was thrown. */
const fault = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );

test("every form of one SELECT is taken, with semicolons and comments wherever they stand", async () => {
  for (const sql of [
    "SELECT id FROM input ORDER BY id DESC LIMIT 1",
    "SELECT max(id) FROM input;",
    "SELECT max(id) FROM input -- the last; one",
    "SELECT max(id) FROM input; -- the last; one\n;",
    "SELECT 2 -- a; b\n + max(id) - 2 FROM input; /* ; */",
    "WITH last AS (SELECT max(id) AS id FROM input) SELECT id FROM last",
    "FROM input SELECT max(id) WHERE name IS DISTINCT FROM ';'",
    "VALUES (3)",
    "SELECT count(*) FROM (SELECT * FROM input UNION ALL SELECT * FROM input) WHERE id IN (SELECT id FROM input) HAVING count(*) = 7 UNION SELECT 3",
  ])
    expect({ sql, text: (await answer(sql)).split("\n").at(-2) }).toEqual({ sql, text: "3" });
});

test("two columns of one name get two names", async () => {
  const database = await testDatabase();
  const { columns } = await transform(database, stream(people, rows), "SELECT id, id, name AS ID FROM input");
  expect(columns.map(({ name }) => name)).toEqual(["id", "id_1", "ID_2"]);
  database.close();
});

test("parameters are bound, by place and by name, and never become SQL", async () => {
  expect(await answer("SELECT id FROM input WHERE name = $1", ["Анна"])).toBe("1\n");
  expect(
    await answer("SELECT id FROM input WHERE name = $who AND id <= $most", {
      who: "Анна",
      most: 9007199254740991,
    }),
  ).toBe("1\n");
  expect(await answer("SELECT id FROM input WHERE born > $1 ORDER BY id", ["2001-06-01"])).toBe("2\n");
  expect(await answer("SELECT id FROM input WHERE name = $1", ["' OR true --"])).toBe("");
  expect(await answer("SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d", ["x", 5, true, null])).toBe(
    "x\t5\t1\t\\N\n",
  );
  expect(await answer("SELECT id FROM input LIMIT $1", [1])).toBe("1\n");
});

test("whatever is not one SELECT, or reaches out, is refused before a row is read", async () => {
  const outside = join(temporaryDirectory("outside"), "secret.csv");
  writeFileSync(outside, "secret\n1\n");
  const refused = [
    "",
    ";",
    "SELECT",
    "SELECT 1; SELECT 2",
    "SELECT 1) TO '/tmp/x'; --",
    "SELECT 1); DROP TABLE input; --",
    "INSERT INTO input VALUES (1, 'x', NULL)",
    "WITH a AS (SELECT 1) DELETE FROM input",
    "CREATE TABLE other AS SELECT 1",
    "DROP TABLE input",
    "SET threads = 8",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL duckdb_tables()",
    "EXPLAIN ANALYZE SELECT 1",
    "INSTALL httpfs",
    "LOAD httpfs",
    "ATTACH '/tmp/other.db'",
    "ATTACH ':memory:' AS other",
    `COPY input TO '${outside}'`,
    "EXPORT DATABASE '/tmp'",
    "PREPARE x AS SELECT 1",
    "BEGIN",
    "PIVOT input ON name USING count(*)",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/../../etc/passwd')",
    `SELECT * FROM '${outside}'`,
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM enable_profiling()",
    "WITH a AS (SELECT (SELECT 1 FROM system.main.Enable_Profiling())) FROM a",
    "SELECT * FROM arrow_scan($1, $1, $1)",
    "SELECT * FROM query('SELECT * FROM enable_profiling()')",
    "SELECT enable_profiling()",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM query('COPY input TO ''/tmp/x''')",
    "SELECT * FROM nothing",
  ];
  for (const sql of refused) {
    const database = await testDatabase();
    let read = false;
    async function* chunks() {
      read = true;
      yield Buffer.from("1\tx\t\\N\n");
    }
    const input: RowStream = { ...stream(people, []), chunks: chunks() };
    const error = await fault(transform(database, input, sql));
    expect({ sql, kind: (error as Error).name, read }).toEqual({ sql, kind: "DuckDbError", read: false });
    expect((error as DuckDbError).code).toBe("sql");
    database.close();
  }
});

test("beneath our own checks DuckDB itself is closed: to the run's neighbours, through links, to settings", async () => {
  const directory = join(temporaryDirectory("neighbours"), "run");
  for (const path of [directory, `${directory}-2`]) mkdirSync(path);
  writeFileSync(join(`${directory}-2`, "x.csv"), "a\n1\n");
  symlinkSync(join(`${directory}-2`, "x.csv"), join(directory, "link.csv"));
  const database = await openDatabase({ dataDirectory: directory, directory }, new AbortController().signal);
  for (const sql of [
    `FROM read_csv('${directory}-2/x.csv')`,
    `FROM read_csv('${directory}/../run-2/x.csv')`,
    `FROM read_csv('${directory}/link.csv')`,
    "FROM read_text('/etc/passwd')",
    `COPY (SELECT 1) TO '${directory}-2/y.csv'`,
    `ATTACH '${directory}-2/y.db'`,
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_directories",
    "INSTALL httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "FROM read_csv('https://127.0.0.1:9/x.csv')",
  ])
    expect({ sql, name: ((await fault(database.run(sql))) as Error).name }).toEqual({
      sql,
      name: "DuckDbError",
    });
  expect(readdirSync(`${directory}-2`)).toEqual(["x.csv"]);
  database.close();
});

test("a value that does not fit its type, and a fault that only the rows show, are told in DuckDB's words", async () => {
  for (const [text, sql] of [
    ["12x\tname\t\\N\n", "SELECT * FROM input"],
    ["1\tname\n", "SELECT * FROM input"],
    ["1\tname\t\\N\textra\n", "SELECT * FROM input"],
    ["1\tname\t\\N\n", "SELECT CAST(name AS INTEGER) FROM input"],
    ["1\t\xff\t\\N\n", "SELECT * FROM input"],
  ] as const) {
    const database = await testDatabase();
    const work = async () =>
      textOf(await transform(database, rawStream(people, Buffer.from(text, "latin1")), sql));
    expect(await fault(work())).toBeInstanceOf(DuckDbError);
    database.close();
  }
});

test("a sender's failure is handed on as it is, and nothing stays in the directory", async () => {
  const database = await testDatabase();
  async function* chunks() {
    yield Buffer.from("1\tx\t\\N\n".repeat(3_000_000));
    throw new Error("the source is gone");
  }
  const error = await fault(
    textOf(await transform(database, { ...stream(people, []), chunks: chunks() }, "SELECT * FROM input")),
  );
  expect(String(error)).toBe("Error: the source is gone");
  expect(readdirSync(database.directory)).toEqual(["spill"]);
  database.close();
});

test("rows come in the order in which they went in, and a value may be larger than any buffer", async () => {
  const database = await testDatabase();
  const text = Array.from({ length: 300_000 }, (_, n) => `${n}\tname\t\\N\n`).join("");
  expect(
    await textOf(
      await transform(database, rawStream(people, Buffer.from(text), 65_536), "SELECT * FROM input"),
    ),
  ).toBe(text);
  await database.run("DROP TABLE input");
  const large = `1\t${"я\\n".repeat(5_000_000)}\t\\N\n`.repeat(2);
  const answer = await transform(
    database,
    rawStream(people, Buffer.from(large), 1 << 20),
    "SELECT * FROM input",
  );
  expect((await textOf(answer)) === large).toBe(true);
  database.close();
});

for (const [what, sql] of [
  ["computes", "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i), input"],
  ["sorts", "SELECT i FROM range(1000000000) r(i) ORDER BY hash(i)"],
  ["answers rows", "SELECT i FROM range(100000000000) r(i)"],
])
  test(`a statement that ${what} for ever ends within a second of the signal`, async () => {
    const controller = new AbortController();
    const database = await testDatabase(controller.signal);
    const work = async () => {
      for await (const _ of (await transform(database, stream(people, rows), sql ?? "")).chunks);
    };
    const failure = fault(work());
    await Bun.sleep(500);
    const start = performance.now();
    controller.abort(new Error("cancelled"));
    expect(String(await failure)).toBe("Error: cancelled");
    expect(performance.now() - start).toBeLessThan(1000);
    database.close();
  });

test("a consumer that leaves early leaves nothing behind", async () => {
  const database = await testDatabase();
  const { chunks } = await transform(database, stream(people, rows), "SELECT i FROM range(100000000) r(i)");
  for await (const chunk of chunks) {
    expect(chunk.toString()).toStartWith("0\n1\n2\n");
    break;
  }
  expect(await database.ask("SELECT count(*) FROM input")).toBe("3");
  database.close();
});

test("a sort beyond the memory's limit spills into the run's directory; a hopeless one is told", async () => {
  const database = await testDatabase(undefined, { memoryLimit: 128e6 });
  const sql = "SELECT i, repeat('x', 200) AS t FROM range(1000000) r(i) ORDER BY hash(i)";
  let bytes = 0;
  let spilled = 0;
  for await (const chunk of (await transform(database, stream(people, rows), sql)).chunks) {
    bytes += chunk.length;
    spilled = Math.max(spilled, readdirSync(join(database.directory, "spill")).length);
  }
  expect(bytes).toBe(206_888_890 + 1_000_000);
  expect(spilled).toBeGreaterThan(0);
  await database.run("DROP TABLE input");
  const hopeless = async () =>
    textOf(
      await transform(
        database,
        stream(people, rows),
        "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(1000000)",
      ),
    );
  expect(await fault(hopeless())).toMatchObject({
    code: "resources",
    message: expect.stringContaining("Out of Memory"),
  });
  database.close();
  expect(existsSync(database.directory)).toBe(true);
});

test("a fault far into the rows is told", async () => {
  for (const sql of ["SELECT CAST(i AS TINYINT) FROM range(1000000) r(i)"])
    expect({ sql, error: (await fault(answer(sql))) instanceof DuckDbError }).toEqual({ sql, error: true });
});
