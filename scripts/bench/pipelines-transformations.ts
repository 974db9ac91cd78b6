/** Tables and files through a transformation on the way. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Bench, from, oursOf, tableIn, to } from "./pipelines-bench.ts";
import { piped } from "./pipelines-commands.ts";
import {
  bytesOf,
  fileSummary,
  groupColumns,
  grouping,
  groupsSummary,
  postgresSummary,
  writeCsv,
} from "./pipelines-data.ts";
import { duckDbPeer, type PythonPeer, pandasPeer, psql } from "./pipelines-peers.ts";
import { compareTurns, printSkipped } from "./pipelines-turns.ts";

/** Those of the Python peers that can be had; for the others a line says why not. */
async function pythonPeers(): Promise<PythonPeer[]> {
  const peers: PythonPeer[] = [];
  for (const [name, find] of Object.entries({ DuckDB: duckDbPeer, pandas: pandasPeer }))
    try {
      peers.push(await find());
    } catch (error) {
      printSkipped(`GROUP BY beside ${name}`, String(error).split("\n").at(-1) ?? "");
    }
  return peers;
}

/** A transformation in SQL, beside programs that do the same between two psql, and between two files. */
export async function benchSql(bench: Bench, rows: number): Promise<void> {
  const peers = await pythonPeers();
  await benchSqlBetweenTables(bench, peers, rows);
  await benchSqlBetweenFiles(bench, peers, rows);
}

async function benchSqlBetweenTables(bench: Bench, peers: PythonPeer[], rows: number): Promise<void> {
  const { client, postgres, source, target } = bench;
  const pipeline = await client.pipeline({
    // A source that is a query, and no table, is not asked to do the transformation itself: our DuckDB does it.
    sources: [{ connector_id: source, config: { query: "select * from sales" } }],
    transformations: [{ type: "sql", code: grouping }],
    targets: [{ connector_id: target, config: { table: "ours" } }],
  });
  const copy = psql(from, "copy sales to stdout (format csv)");
  const into = psql(to, `create table theirs (${groupColumns})`, "copy theirs from stdin (format csv)");
  await compareTurns(
    {
      name: "GROUP BY, PostgreSQL → PostgreSQL",
      rows,
      bytes: await bytesOf(postgres, from, "sales"),
      ours: oursOf(bench, pipeline, tableIn(bench, "ours", groupsSummary)),
      theirs: peers.map(({ name, command }) => ({
        name: `psql | ${name} | psql`,
        ...tableIn(bench, "theirs", groupsSummary),
        run: () => piped([copy, command("/dev/stdin", "/dev/stdout", false), into], postgres.environment),
      })),
    },
    bench,
  );
}

/** A file as a turn's result. */
const fileAt = (path: string) => ({
  summary: async () => fileSummary(path),
  remove: async () => rmSync(path, { force: true }),
});

async function benchSqlBetweenFiles(bench: Bench, peers: PythonPeer[], rows: number): Promise<void> {
  const { client, postgres, directory } = bench;
  const file = (name: string) => join(directory, `${name}.csv`);
  await writeCsv(postgres, from, "sales", file("sales"));
  const pipeline = await client.pipeline({
    sources: [{ type: "csv", config: { path: file("sales") } }],
    transformations: [{ type: "sql", code: grouping }],
    targets: [{ type: "csv", config: { path: file("ours") } }],
  });
  await compareTurns(
    {
      name: "GROUP BY, CSV → CSV",
      rows,
      bytes: Bun.file(file("sales")).size,
      ours: oursOf(bench, pipeline, fileAt(file("ours"))),
      theirs: peers.map(({ name, command }) => ({
        name,
        ...fileAt(file("theirs")),
        run: () => piped([command(file("sales"), file("theirs"), true)]),
      })),
    },
    bench,
  );
}

/** A transformation in Python, in the sandbox: all rows go there and come back. There is nothing to compare it with. */
export async function benchPython(bench: Bench, rows: number): Promise<void> {
  const name = "Python, PostgreSQL → PostgreSQL";
  if (!Bun.which("bwrap")) {
    printSkipped(name, "bubblewrap is not installed");
    return;
  }
  const { client, postgres, source, target } = bench;
  const code = "def transform(df):\n    df['amount'] = df['amount'] + 1\n    return df[df['is_paid']]";
  const pipeline = await client.pipeline({
    sources: [{ connector_id: source, config: { table: "sales" } }],
    transformations: [{ type: "python", code }],
    targets: [{ connector_id: target, config: { table: "ours" } }],
  });
  const ours = oursOf(bench, pipeline, tableIn(bench, "ours", postgresSummary));
  const bytes = await bytesOf(postgres, from, "sales");
  await compareTurns({ name, rows, bytes, ours, theirs: [] }, bench);
}
