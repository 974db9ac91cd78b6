/** What ClickHouse knows of its tables. */
import { ConnectorError } from "../connector.ts";
import type { TableSchema } from "../types.ts";
import type { AskOptions, ClickHouseHttp } from "./http.ts";
import { type NativeType, nativeType } from "./native-types.ts";
import { literal, parseRows, quoteTable, type TableName } from "./sql.ts";

/** A column as the table has it. */
export interface TableColumn {
  name: string;
  nativeType: string;
  type: NativeType;
  /** Part of the primary key; it need not be unique in ClickHouse. */
  inPrimaryKey: boolean;
  inSortingKey: boolean;
  /** False for MATERIALIZED and ALIAS columns, which nobody inserts. */
  isInserted: boolean;
}

/** A table that is there. */
export interface Table {
  name: TableName;
  columns: TableColumn[];
  engine: string;
  sortingKey: string;
}

/** For questions that ClickHouse answers from memory. */
export const catalogueTimeout = 30_000;

/** Small answers as rows of texts. Throws `ConnectorError`. */
export const ask = async (http: ClickHouseHttp, sql: string, options: AskOptions) =>
  parseRows(await http.text(`${sql.replace(/[\s;]+$/, "")}\nFORMAT TabSeparated`, options));

const isTable = ({ database, table }: TableName, prefix = ""): string =>
  `database = ${literal(database)} AND ${prefix === "" ? "table" : prefix} = ${literal(table)}`;

/** The table, or null when there is none. Throws `ConnectorError`. */
export async function findTable(
  http: ClickHouseHttp,
  name: TableName,
  options: AskOptions,
): Promise<Table | null> {
  const sql = `SELECT engine, sorting_key FROM system.tables WHERE ${isTable(name, "name")}`;
  const limited = { timeout: catalogueTimeout, ...options };
  const [table] = await ask(http, sql, limited);
  if (!table) return null;
  const columns = await ask(
    http,
    `SELECT name, type, is_in_primary_key, is_in_sorting_key, default_kind FROM system.columns WHERE ${isTable(name)}`,
    limited,
  );
  return {
    name,
    engine: table[0] ?? "",
    sortingKey: table[1] ?? "",
    columns: columns.map(([column, type, primary, sorting, kind]) => ({
      name: column ?? "",
      nativeType: type ?? "",
      type: nativeType(type ?? ""),
      inPrimaryKey: primary === "1",
      inSortingKey: sorting === "1",
      isInserted: kind !== "MATERIALIZED" && kind !== "ALIAS",
    })),
  };
}

/** As `findTable`; throws `ConnectorError` "notFound" when there is none. */
export async function tableOf(http: ClickHouseHttp, name: TableName, options: AskOptions): Promise<Table> {
  const table = await findTable(http, name, options);
  if (!table) throw new ConnectorError("notFound", `ClickHouse has no table ${name.database}.${name.table}`);
  return table;
}

/** Columns, sorting key and row count; of a MergeTree from its parts, of others counted. Throws `ConnectorError` "notFound". */
export async function schemaOf(
  http: ClickHouseHttp,
  name: TableName,
  options: AskOptions,
): Promise<TableSchema> {
  const table = await tableOf(http, name, options);
  const count = table.engine.endsWith("MergeTree")
    ? `SELECT sum(rows) FROM system.parts WHERE active AND ${isTable(name)}`
    : `SELECT count() FROM ${quoteTable(name)}`;
  const [rows] = await ask(http, count, options);
  const sorted = table.columns.filter(({ inSortingKey }) => inSortingKey).map((column) => column.name);
  return {
    columns: table.columns.map((column) => ({
      name: column.name,
      type: column.type.common,
      nullable: column.type.nullable,
      nativeType: column.nativeType,
      primaryKey: column.inPrimaryKey,
    })),
    rowCount: rows?.[0] == null ? null : Number(rows[0]),
    indexes: sorted.length > 0 ? [{ name: "sorting key", columns: sorted }] : [],
  };
}

/** Rows, partition ids, names and largest block numbers of the parts that a table has now. */
export async function partsOf(http: ClickHouseHttp, name: TableName, options: AskOptions) {
  const rows = await ask(
    http,
    `SELECT partition_id, name, rows, max_block_number FROM system.parts WHERE active AND ${isTable(name)} ORDER BY name`,
    options,
  );
  return rows.map(([partition, part, count, block]) => ({
    partition: partition ?? "",
    part: part ?? "",
    rows: Number(count),
    block: Number(block),
  }));
}
