/** The rows that are moved: orders, of mixed types, about 100 bytes a row in COPY's text, the same in every run. */
import { readFileSync } from "node:fs";
import { piped } from "./pipelines-commands.ts";
import { type Postgres, psqlFlags } from "./pipelines-systems.ts";

/** What CREATE TABLE says of them. */
export const columns = `id integer not null, customer bigint not null, amount numeric(12,2) not null, note text,
  created_at timestamptz not null, shipped_at timestamp not null, is_paid boolean not null`;

/** The same in ClickHouse, with times as times. Those of the rows are whole seconds. */
export const clickHouseColumns = `id Int32, customer Int64, amount Decimal(12, 2), note Nullable(String),
  created_at DateTime('UTC'), shipped_at DateTime('UTC'), is_paid UInt8`;

/** What gives them so that ClickHouse reads them: times in UTC without their zone, booleans as numbers. */
export const selectFrom = (table: string): string =>
  `select id, customer, amount, note, created_at at time zone 'UTC' as created_at, shipped_at, is_paid::integer as is_paid from ${table}`;

/** The grouping that is asked of all who can group. */
export const grouping =
  "select customer, count(*) as n, sum(amount) as total, avg(amount) as mean from input group by customer";

/** The columns of its result. */
export const groupColumns = "customer bigint, n bigint, total numeric(38,2), mean double precision";

/** Makes a table of orders, settled: nothing is left to be done for its first reader. */
export async function makeOrders(
  { run }: Postgres,
  database: string,
  table: string,
  rows: number,
): Promise<void> {
  await run(
    database,
    `create table ${table} (${columns})`,
    `insert into ${table} select n, 10000000000 + abs(hashint8(n)::bigint) % 10000, abs(hashint8(n + 1)::bigint) % 10000000 / 100.0,
      case when n % 10 > 0 then left(md5(n::text), 20) || ' of shop ' || n % 113 end,
      timestamptz '2025-01-01 00:00:00Z' + n * interval '5 seconds', timestamp '2025-01-02 00:00:00' + n * interval '5 seconds', n % 3 > 0
    from generate_series(1, ${rows}::bigint) n`,
    `vacuum (freeze, analyze) ${table}`,
  );
}

/** Bytes of a table in the text that all contenders move. */
export async function bytesOf({ environment }: Postgres, database: string, table: string): Promise<number> {
  const copy = `psql -d ${database} ${psqlFlags.join(" ")} -c "copy (${selectFrom(table)}) to stdout"`;
  return Number(await piped([copy, "wc -c"], environment));
}

/** Writes a table into a CSV file with a header. */
export async function writeCsv(
  { run }: Postgres,
  database: string,
  table: string,
  file: string,
): Promise<void> {
  await run(database, `\\copy (select * from ${table}) to '${file}' (format csv, header)`);
}

/** What two tables of the same orders have in common: their number, and a sum over all their values. */
export const postgresSummary = (table: string): string =>
  `select count(*), sum(hashtextextended(t::text, 0)::numeric) from ${table} t`;

export const clickHouseSummary = (table: string): string =>
  `SELECT count(), sum(cityHash64(id, customer, toString(amount), ifNull(note, 'NULL'), toString(created_at), toString(shipped_at), is_paid)) FROM ${table}`;

/** What two tables of groups have in common; some contenders sum in floating point. */
export const groupsSummary = (table: string): string =>
  `select count(*), sum(n), round(sum(total)), round(sum(mean)) from ${table}`;

/** The same of a CSV file of groups with a header. */
export function fileSummary(file: string): string {
  const rows = readFileSync(file, "utf8").trim().split("\n").slice(1);
  const sums = [1, 2, 3].map((at) =>
    Math.round(rows.reduce((sum, row) => sum + Number(row.split(",")[at]), 0)),
  );
  return [rows.length, ...sums].join("|");
}
