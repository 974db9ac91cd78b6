/** Reading a table or a query. */
import { ConnectorError, type ReadRequest } from "../connector.ts";
import type { RowStream } from "../types.ts";
import { canonicalChunks } from "./canonical.ts";
import { ask, catalogueTimeout, tableOf } from "./catalogue.ts";
import type { AskOptions, ClickHouseHttp } from "./http.ts";
import { type NativeType, nativeType } from "./native-types.ts";
import { literal, quoteName, quoteTable, tableName, withParameters } from "./sql.ts";

interface Source {
  /** What follows FROM. */
  from: string;
  columns: { name: string; type: NativeType }[];
}

/** What is to be read, and its columns. Throws `ConnectorError`. */
async function sourceOf(
  http: ClickHouseHttp,
  { table, query, parameters = [] }: ReadRequest,
  options: AskOptions,
): Promise<Source> {
  if (query !== undefined) {
    // The line break ends a comment at the query's end.
    const from = `(${withParameters(query.replace(/[\s;]+$/, ""), parameters)}\n)`;
    const described = await ask(http, `DESCRIBE TABLE ${from}`, { timeout: catalogueTimeout, ...options });
    return {
      from,
      columns: described.map(([name, type]) => ({ name: name ?? "", type: nativeType(type ?? "") })),
    };
  }
  if (table === undefined) throw new ConnectorError("unsupported", "Neither a table nor a query was given");
  const { name, columns } = await tableOf(http, tableName(table, http.database), options);
  return { from: quoteTable(name), columns };
}

function columnOf({ columns }: Source, name: string) {
  const column = columns.find((each) => each.name === name);
  if (!column) throw new ConnectorError("schema", `ClickHouse has no column ${name} there`);
  return column;
}

/** A cursor's value, which came from `latest`, as a value of the column's type. */
function bound(value: string, { common, base }: NativeType): string {
  const text = literal(value);
  if (base.startsWith("DateTime64"))
    return `toDateTime64(${text}, ${Number.parseInt(base.slice(11), 10)}, 'UTC')`;
  if (base.startsWith("DateTime")) return `toDateTime(${text}, 'UTC')`;
  return common.kind === "text" ? text : `CAST(${text} AS ${base})`;
}

/** Enumerations are compared as the text that they are read as. */
const comparable = (column: { name: string; type: NativeType }): string =>
  column.type.common.kind === "text" ? column.type.canonical(quoteName(column.name)) : quoteName(column.name);

/** Rows in the canonical form. Throws `ConnectorError`; so does the stream when the server fails on the way. Leaving the stream ends the query at the server. */
export async function readRows(
  http: ClickHouseHttp,
  request: ReadRequest,
  options: AskOptions,
): Promise<RowStream> {
  const source = await sourceOf(http, request, options);
  const { cursor } = request;
  let where = "";
  if (cursor) {
    const column = columnOf(source, cursor.column);
    const after =
      cursor.after === null ? "" : `${comparable(column)} > ${bound(cursor.after, column.type)} AND `;
    where = ` WHERE ${after}${comparable(column)} <= ${bound(cursor.upTo, column.type)}`;
  }
  const list = source.columns.map(({ name, type }) => type.canonical(quoteName(name)));
  const sql = `SELECT ${list.join(", ")} FROM ${source.from}${where}\nFORMAT TabSeparated`;
  const chunks = await http.chunks(sql, { ...options, width: list.length });
  const columns = source.columns.map(({ name, type }) => ({
    name,
    type: type.common,
    nullable: type.nullable,
  }));
  return { columns, chunks: canonicalChunks(chunks) };
}

/** The largest value of a column, in the form that `cursor` takes; null when there is none. Throws `ConnectorError`. */
export async function latestOf(
  http: ClickHouseHttp,
  request: ReadRequest,
  name: string,
  options: AskOptions,
): Promise<string | null> {
  const source = await sourceOf(http, request, options);
  const column = columnOf(source, name);
  const largest = `max(${comparable(column)})`;
  const shown = column.type.common.kind === "text" ? largest : column.type.canonical(largest);
  const sql = `SELECT ${shown}, count(${quoteName(name)}) FROM ${source.from}`;
  const [row] = await ask(http, sql, options);
  // Without rows max() answers a zero.
  return row?.[1] === "0" ? null : (row?.[0] ?? null);
}
