/**
 * Pipelines: rows between systems and through transformations, beside what administrators would use instead. All in one run, on one machine that carries the databases
 * too. Ours are runs over HTTP, of a server that stages, checks, publishes in one step and keeps what was told; their time is the client's, from the request to the end that
 * it sees. Usage: bun scripts/bench/pipelines.ts [clickhouse] [postgresql] [sql] [python] [rows=5000000] [rounds=3]
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { benchDirectory } from "./measure.ts";
import { type Bench, from, to } from "./pipelines-bench.ts";
import { output } from "./pipelines-commands.ts";
import { benchClickHouse, benchPostgres } from "./pipelines-copies.ts";
import { makeOrders } from "./pipelines-data.ts";
import { openPipelines } from "./pipelines-runs.ts";
import {
  missingClickHouse,
  missingPostgres,
  type Postgres,
  startClickHouse,
  startPostgres,
} from "./pipelines-systems.ts";
import { benchPython, benchSql } from "./pipelines-transformations.ts";
import { printHead, printSkipped, residentOf } from "./pipelines-turns.ts";
import { startBenchServer } from "./server.ts";

const million = 1_000_000;
const words = process.argv.slice(2);
const parts = words.filter((word) => !word.includes("="));
const isWanted = (part: string) => parts.length === 0 || parts.includes(part);

/** A number of one or more that is given as `name=…`. */
function given(name: string, otherwise: number): number {
  const text = words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const value = Number(text ?? otherwise);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} is no number: ${text}`);
  return value;
}

const rows = given("rows", 5 * million);
const fewRows = Math.min(rows, million);
const rounds = given("rounds", 3);

/** Stops what was started, the last one first. */
const stops: (() => Promise<unknown>)[] = [];

async function startDatabases(): Promise<Postgres> {
  const postgres = await startPostgres();
  stops.push(postgres.stop);
  await postgres.run("postgres", `create database ${from}`, `create database ${to}`);
  if (isWanted("clickhouse") || isWanted("postgresql")) await makeOrders(postgres, from, "orders", rows);
  if (isWanted("sql") || isWanted("python")) await makeOrders(postgres, from, "sales", fewRows);
  return postgres;
}

async function startBench(postgres: Postgres): Promise<Bench> {
  const directory = join(benchDirectory, "pipelines");
  mkdirSync(directory, { recursive: true });
  stops.push(async () => rmSync(directory, { recursive: true, force: true }));
  const server = await startBenchServer({ PIPELINES_FILE_ROOTS: directory });
  stops.push(server.stop);
  const client = await openPipelines(server);
  const connector = (database: string) =>
    client.connector(
      "postgresql",
      { host: "127.0.0.1", port: postgres.port, database, ssl_mode: "disable" },
      { username: postgres.user, password: "" },
    );
  const [source, target] = [await connector(from), await connector(to)];
  await Bun.sleep(3_000);
  const { pid } = server;
  const settle = async () => {
    await postgres.run("postgres", "checkpoint");
    await output(["sync"]);
  };
  return { client, postgres, source, target, directory, pid, idle: residentOf(pid), rounds, settle };
}

async function benchAll(bench: Bench): Promise<void> {
  console.log(
    `${rows} rows, through transformations ${fewRows}; medians of ${rounds} rounds; server idle at ${bench.idle.toFixed(0)} MiB`,
  );
  printHead();
  const missing = missingClickHouse();
  if (isWanted("clickhouse") && missing) printSkipped("PostgreSQL → ClickHouse", missing);
  else if (isWanted("clickhouse")) {
    const house = await startClickHouse();
    try {
      await benchClickHouse(bench, house, rows);
    } finally {
      await house.stop();
    }
  }
  if (isWanted("postgresql")) await benchPostgres(bench, rows);
  if (isWanted("sql")) await benchSql(bench, fewRows);
  if (isWanted("python")) await benchPython(bench, fewRows);
}

const missing = missingPostgres();
if (missing) printSkipped("pipelines", missing);
else
  try {
    await benchAll(await startBench(await startDatabases()));
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
process.exit();
