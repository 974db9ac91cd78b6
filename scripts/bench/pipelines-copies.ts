/** Whole tables, as they are, into another system. */
import { type Bench, from, oursOf, tableIn, to } from "./pipelines-bench.ts";
import { piped } from "./pipelines-commands.ts";
import {
  bytesOf,
  clickHouseColumns,
  clickHouseSummary,
  columns,
  postgresSummary,
  selectFrom,
} from "./pipelines-data.ts";
import { psql } from "./pipelines-peers.ts";
import type { ClickHouse } from "./pipelines-systems.ts";
import { type Contender, compareTurns } from "./pipelines-turns.ts";

/** A table of ClickHouse as a turn's result, which `create` makes before it where it is given. */
const tableOf = ({ run }: ClickHouse, table: string, create?: string) => ({
  ...(create === undefined ? {} : { prepare: () => run(create) }),
  summary: () => run(clickHouseSummary(table)),
  remove: () => run(`DROP TABLE ${table}`),
});

/** Into a table that the run makes, whose types theirs gets too, and into one that is there and keeps times as times. */
export async function benchClickHouse(bench: Bench, house: ClickHouse, rows: number): Promise<void> {
  const { client, postgres, source } = bench;
  const address = { host: "127.0.0.1", port: house.port, database: "default" };
  const target = await client.connector("clickhouse", address, { username: "default", password: "" });
  const pipelineOf = (config: object) =>
    client.pipeline({
      sources: [{ connector_id: source, config }],
      targets: [{ connector_id: target, config: { table: "ours" } }],
      // What the table that is made is ordered by.
      config: { key: "id" },
    });
  const copy = psql(from, `copy (${selectFrom("orders")}) to stdout`);
  const insert = `${house.client} --query 'INSERT INTO theirs FORMAT TabSeparated'`;
  const pipeline = await pipelineOf({ table: "orders" });
  const bytes = await bytesOf(postgres, from, "orders");
  const compareInto = (name: string, ours: string | undefined, theirs: string) => {
    const peer = { name: "psql | clickhouse-client", run: () => piped([copy, insert], postgres.environment) };
    return compareTurns(
      {
        ...{ name, rows, bytes },
        ours: oursOf(bench, pipeline, tableOf(house, "ours", ours)),
        theirs: [{ ...peer, ...tableOf(house, "theirs", theirs) }],
      },
      bench,
    );
  };
  await client.run(await pipelineOf({ query: "select * from orders limit 1000" }));
  await house.run("RENAME TABLE ours TO made");
  await compareInto("PostgreSQL → ClickHouse, our own table", undefined, "CREATE TABLE theirs AS made");
  const create = (table: string) =>
    `CREATE TABLE ${table} (${clickHouseColumns}) ENGINE = MergeTree ORDER BY id`;
  await compareInto("PostgreSQL → ClickHouse, DateTime columns", create("ours"), create("theirs"));
}

/** Into a fresh table of another database: theirs in one transaction, with PostgreSQL's own text and with the SELECT that ours does. */
export async function benchPostgres(bench: Bench, rows: number): Promise<void> {
  const { client, postgres, source, target } = bench;
  const pipeline = await client.pipeline({
    sources: [{ connector_id: source, config: { table: "orders" } }],
    targets: [{ connector_id: target, config: { table: "ours" } }],
  });
  const into = psql(to, `create table theirs (${columns})`, "copy theirs from stdin");
  const peer = (name: string, copied: string): Contender => ({
    name,
    ...tableIn(bench, "theirs", postgresSummary),
    run: () => piped([psql(from, `copy ${copied} to stdout`), into], postgres.environment),
  });
  await compareTurns(
    {
      name: "PostgreSQL → PostgreSQL",
      rows,
      bytes: await bytesOf(postgres, from, "orders"),
      ours: oursOf(bench, pipeline, tableIn(bench, "ours", postgresSummary)),
      theirs: [
        peer("psql COPY | psql COPY", "orders"),
        peer("psql COPY, our SELECT | psql COPY", `(${selectFrom("orders")})`),
      ],
    },
    bench,
  );
}
