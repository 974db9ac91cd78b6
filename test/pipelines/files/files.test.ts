/** Files as a source and as a target. */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WriteMode } from "../../../src/services/pipelines/connect/connector.ts";
import { FilesConnector } from "../../../src/services/pipelines/connect/files/connector.ts";
import type { CommonType, RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { encode, stream, textOf } from "../duckdb/rows.ts";

const { signal } = new AbortController();

function place(config: Record<string, unknown> = {}) {
  const directory = temporaryDirectory("files");
  const root = join(directory, "root");
  mkdirSync(root);
  const dataDirectory = join(directory, "data");
  mkdirSync(dataDirectory);
  const open = (more: Record<string, unknown> = {}) =>
    new FilesConnector(
      { roots: [root], dataDirectory },
      { config: { path: root, ...config, ...more }, credentials: {} },
    );
  const put = (name: string, content: string | Uint8Array) => writeFileSync(join(root, name), content);
  const write = async (
    table: string,
    rows: RowStream,
    mode: WriteMode = "replace",
    runId = "run_1",
    add = false,
  ) => {
    const connector = open();
    const request = { table, mode, key: [], onSchemaChange: add ? "add_columns" : "fail" } as const;
    const staged = await connector.stage(request, rows, runId, signal);
    await staged.publish();
    await connector.close();
    return staged;
  };
  const text = (name: string) => readFileSync(join(root, name), "utf8");
  return { directory, root, dataDirectory, open, put, write, text };
}

const fault = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );

const kinds = (stream: RowStream) => stream.columns.map(({ name, type }) => `${name} ${type.kind}`);

test("CSV: types are found in the whole file, and no value is changed by them", async () => {
  const { open, put } = place();
  const many = Array.from(
    { length: 30_000 },
    (_, n) => `${n},007,1.5,12345678901234567890123,2025-01-31,true,x,79991234567,0.1\n`,
  );
  put(
    "a.csv",
    `id,article,price,big,day,ok,name,phone,precise\n${many.join("")}1,42,2,1,2025-02-01,false,"a ""b""\n\tc\\N",+79991234567,0.12345678901234567890\n2,,,,,,"",,\n`,
  );
  const rows = await open().read({ table: "a.csv" }, signal);
  expect(kinds(rows)).toEqual([
    "id int64",
    "article text",
    "price float64",
    "big text",
    "day date",
    "ok boolean",
    "name text",
    "phone text",
    "precise text",
  ]);
  const lines = (await textOf(rows)).trimEnd().split("\n");
  expect(lines).toHaveLength(30_002);
  expect(lines[0]).toBe("0\t007\t1.5\t12345678901234567890123\t2025-01-31\t1\tx\t79991234567\t0.1");
  expect(lines[30_000]).toBe(
    `1\t42\t2\t1\t2025-02-01\t0\t${encode('a "b"\n\tc\\N')}\t+79991234567\t0.12345678901234567890`,
  );
  expect(lines[30_001]).toBe("2\t\\N\t\\N\t\\N\t\\N\t\\N\t\t\\N\t\\N");
});

test("CSV by other rules, TSV, and names with signs of patterns in them", async () => {
  const { open, put } = place();
  put("[a]*?.csv", "1;'x;y'\n2;'z'\n");
  put("a.csv", "9\n");
  put("b.tsv", "a\tb\n1\tx,y\n");
  const options = { header: false, delimiter: ";", quote: "'" };
  expect(await textOf(await open({ options }).read({ table: "[a]*?.csv" }, signal))).toBe("1\tx;y\n2\tz\n");
  expect(await textOf(await open().read({ table: "b.tsv" }, signal))).toBe("1\tx,y\n");
});

test("JSON and NDJSON: nested values are json, big numbers keep their digits", async () => {
  const { open, put } = place();
  const row =
    '{"id": 9007199254740993, "big": 123456789012345678901234567890, "f": 1.5, "o": {"a": [1, "я"]}, "l": [1, 2], "t": "a\\n\\"b", "n": null}';
  put("a.json", `[${row}, {"id": 2}]`);
  put("a.ndjson", `${row}\n{"id": 2}\n`);
  for (const table of ["a.json", "a.ndjson"]) {
    const rows = await open().read({ table }, signal);
    expect(kinds(rows)).toEqual([
      "id int64",
      "big text",
      "f float64",
      "o json",
      "l array",
      "t text",
      "n json",
    ]);
    expect(await textOf(rows)).toBe(
      `9007199254740993\t123456789012345678901234567890\t1.5\t{"a":[1,"я"]}\t[1,2]\ta\\n"b\t\\N\n2${"\t\\N".repeat(6)}\n`,
    );
  }
});

const types: Record<string, CommonType> = {
  id: { kind: "int64" },
  price: { kind: "decimal", precision: 10, scale: 2 },
  name: { kind: "text" },
  at: { kind: "timestamp", zoned: true },
  raw: { kind: "bytes" },
  tags: { kind: "array", of: { kind: "text" } },
};
const values = [
  ["1", "1.50", 'a "b", \\N\n\tя', "2025-01-31 23:59:59.5", "\\x00ff", '["a, b","NULL",null]'],
  ["9223372036854775807", "-0.01", "", "1969-12-31 00:00:00", "\\x", "[]"],
  [null, null, null, null, null, null],
];

test("Parquet brings every type back as it was", async () => {
  const { open, write } = place();
  expect((await write("t.parquet", stream(types, values))).rows).toBe(3);
  const rows = await open().read({ table: "t.parquet" }, signal);
  expect(rows.columns).toEqual(Object.entries(types).map(([name, type]) => ({ name, type, nullable: true })));
  expect(await textOf(rows)).toBe(values.map((row) => `${row.map(encode).join("\t")}\n`).join(""));
  expect(await open().schema("t.parquet", signal)).toMatchObject({
    rowCount: 3,
    columns: [
      { nativeType: "BIGINT" },
      { nativeType: "DECIMAL(10,2)" },
      {},
      {},
      {},
      { nativeType: "VARCHAR[]" },
    ],
  });
});

for (const format of ["csv", "tsv", "ndjson", "json"])
  test(`${format}: what was written is read again`, async () => {
    const { open, write, root } = place();
    const simple: Record<string, CommonType> = {
      id: { kind: "int64" },
      name: { kind: "text" },
      code: { kind: "text" },
    };
    const rows = [
      ["1", 'a "b",\t\\N\n\r\nя', "007"],
      ["2", "", "x"],
      ["3", null, null],
    ];
    const expected = rows.map((row) => `${row.map(encode).join("\t")}\n`).join("");
    await write(`t.${format}`, stream(simple, rows));
    expect(await textOf(await open().read({ table: `t.${format}` }, signal))).toBe(expected);
    if (format === "json") {
      expect(await fault(write("t.json", stream(simple, rows), "append"))).toMatchObject({
        code: "unsupported",
      });
      return;
    }
    await write(`t.${format}`, stream(simple, rows), "append", "run_2");
    expect(await textOf(await open().read({ table: `t.${format}` }, signal))).toBe(expected.repeat(2));
    // The same run again, as after a crash between publishing and its record.
    await write(`t.${format}`, stream(simple, rows), "append", "run_2");
    expect(await textOf(await open().read({ table: `t.${format}` }, signal))).toBe(expected.repeat(2));
    expect(readdirSync(root)).toEqual([`t.${format}`]);
  });

test("appending wants the file's columns, in any order, and a missing line feed is mended", async () => {
  const { put, write, text } = place();
  const two: Record<string, CommonType> = { b: { kind: "text" }, a: { kind: "int32" } };
  put("a.csv", "a,b\n1,x");
  await write("a.csv", stream(two, [["y", "2"]]), "append");
  expect(text("a.csv")).toBe('a,b\n1,x\n2,"y"\n');
  const other = stream({ a: { kind: "int32" }, c: { kind: "int32" } }, [["1", "2"]]);
  expect(await fault(write("a.csv", other, "append", "run_3"))).toMatchObject({ code: "schema" });
  put("a.ndjson", '{"a":1}\n');
  await write(
    "a.ndjson",
    stream({ a: { kind: "int32" }, c: { kind: "int32" } }, [["1", "2"]]),
    "append",
    "run_4",
    true,
  );
  expect(text("a.ndjson")).toBe('{"a":1}\n{"a":1,"c":2}\n');
  expect(await fault(write("a.csv", stream(two, []), "merge"))).toMatchObject({ code: "unsupported" });
});

test("staged rows are seen by nobody until they are published, can be asked about, and are gone when discarded", async () => {
  const { open, put, text, root, dataDirectory } = place();
  put("a.csv", "old\n1\n");
  const connector = open();
  const request = { table: "a.csv", mode: "replace", key: [], onSchemaChange: "fail" } as const;
  const staged = await connector.stage(
    request,
    stream({ n: { kind: "int32" } }, [["5"], ["7"]]),
    "run_1",
    signal,
  );
  expect(await staged.ask(`SELECT sum(n) FROM ${staged.table}`)).toBe("12");
  expect(text("a.csv")).toBe("old\n1\n");
  for (const sql of [
    "DROP TABLE staged",
    "COPY staged TO '/tmp/x'",
    `SELECT * FROM read_csv('${root}/a.csv')`,
  ])
    expect(await fault(staged.ask(sql))).toMatchObject({ code: "sql" });
  await staged.discard();
  expect(readdirSync(root)).toEqual(["a.csv"]);
  const again = await connector.stage(request, stream({ n: { kind: "int32" } }, [["5"]]), "run_1", signal);
  await again.publish();
  await again.publish();
  expect(text("a.csv")).toBe("n\n5\n");
  expect(statSync(join(root, "a.csv")).mode & 0o777).toBe(0o644);
  await connector.close();
  expect(readdirSync(join(dataDirectory, "pipelines"))).toEqual([]);
});

test("a cursor's column bounds what is read", async () => {
  const { open, put } = place();
  put("a.csv", "id,at\n1,2025-01-01 00:00:00\n2,2025-01-02 00:00:00\n3,2025-01-03 00:00:00\n");
  const connector = open();
  expect(await connector.latest({ table: "a.csv" }, "at", signal)).toBe("2025-01-03 00:00:00");
  const cursor = { column: "at", after: "2025-01-01 00:00:00", upTo: "2025-01-02 00:00:00" };
  expect(await textOf(await connector.read({ table: "a.csv", cursor }, signal))).toBe(
    "2\t2025-01-02 00:00:00\n",
  );
  const id = { column: "id", after: null, upTo: "2" };
  expect(await textOf(await connector.read({ table: "a.csv", cursor: id }, signal))).toStartWith("1\t");
  const unknown = { column: "nothing", after: null, upTo: "2" };
  expect(await fault(connector.read({ table: "a.csv", cursor: unknown }, signal))).toMatchObject({
    code: "schema",
  });
});

test("nothing outside the roots is read, written or told of", async () => {
  const { open, root, directory, put } = place();
  writeFileSync(join(directory, "secret.csv"), "a\n1\n");
  mkdirSync(`${root}-2`);
  writeFileSync(join(`${root}-2`, "a.csv"), "a\n1\n");
  symlinkSync(join(directory, "secret.csv"), join(root, "link.csv"));
  symlinkSync(directory, join(root, "up"));
  put("a.csv", "a\n1\n");
  const connector = open();
  for (const table of [
    ...["/etc/passwd", "../secret.csv", "link.csv", "up/secret.csv", `${root}-2/a.csv`, "../nothing.csv"],
    ...["/nonexistent/x.csv", "up/root/../secret.csv"],
  ]) {
    expect({ table, ...(await outcome(connector.read({ table }, signal))) }).toEqual({
      table,
      code: "refused",
    });
  }
  for (const table of ["../new.csv", "up/new.csv", "/etc/new.csv", "link.csv", "up/none/x.csv", ".."]) {
    const request = { table, mode: "replace", key: [], onSchemaChange: "fail" } as const;
    const error = await fault(
      connector.stage(request, stream({ a: { kind: "int32" } }, []), "run_1", signal),
    );
    expect({ table, code: (error as { code?: string }).code }).toEqual({ table, code: "refused" });
  }
  expect(await outcome(connector.read({ table: "missing.csv" }, signal))).toEqual({ code: "notFound" });
  expect(await outcome(connector.read({ table: "a.csv", query: "SELECT 1" }, signal))).toEqual({
    code: "unsupported",
  });
  expect(readdirSync(directory).toSorted()).toEqual(["data", "root", "root-2", "secret.csv"]);
});

async function outcome(promise: Promise<unknown>): Promise<{ code: string | undefined }> {
  return { code: ((await fault(promise)) as { code?: string }).code };
}

test("the test of a connection tells how far it got", async () => {
  const { open, put, root } = place();
  put("a.csv", "a\n1\n");
  put("broken.parquet", "no parquet");
  const good = await open({ path: join(root, "a.csv") }).test(signal);
  expect(good).toMatchObject({ connectionEstablished: true, queryExecutionSuccessful: true, error: null });
  expect(good.latency).toBeGreaterThan(0);
  const broken = await open({ path: join(root, "broken.parquet") }).test(signal);
  expect(broken).toMatchObject({ connectionEstablished: true, queryExecutionSuccessful: false });
  expect(broken.error).toContain("parquet");
  expect(await open({ path: join(root, "missing.csv") }).test(signal)).toMatchObject({
    connectionEstablished: false,
  });
});
