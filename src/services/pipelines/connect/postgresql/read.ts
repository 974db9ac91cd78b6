/** Reading a table or a query in the common form, by COPY; where values are bound, which COPY does not know, by a portal. */
import { ConnectorError, type ReadRequest } from "../connector.ts";
import type { Column, RowStream } from "../types.ts";
import { describeFields, type FoundTable, type ResultColumn, requireTable } from "./catalogue.ts";
import { parseTable, quoteTable } from "./identifiers.ts";
import type { Parameter } from "./messages.ts";
import { canonical } from "./native-types.ts";
import type { Session } from "./wire.ts";

/** What is read, checked by the server. */
export interface Source {
  columns: ResultColumn[];
  /** The table, when it is one and no query. */
  table: FoundTable | null;
  /** The statement that gives the rows; of a table without a `where`. */
  sql: string;
  /** Empty or `where …`. */
  where: string;
  parameters: readonly Parameter[];
  parameterTypes: number[];
}

/** Begins the transaction that rows are read in. */
export const beginReading = "begin isolation level repeatable read, read only";

/**
 * Begins a read-only transaction and has the server check what is to be read. Throws `ConnectorError`: `notFound` for a missing table or cursor column, `refused` for
 * what is not a single SELECT.
 */
export async function openSource(
  session: Session,
  request: ReadRequest,
  defaultSchema: string | null,
): Promise<Source> {
  await session.query(beginReading);
  const { table, sql } = await statementOf(session, request, defaultSchema);
  // The server reads one whole statement here; only then does it stand within another.
  const { fields, parameters: parameterTypes } = await session.describe(sql);
  if (!fields || fields.length === 0)
    throw new ConnectorError("refused", "only a SELECT that gives columns can be read");
  const columns = await describeFields(session, fields);
  const twice = columns.find(({ name }, index) => columns.findIndex((other) => other.name === name) < index);
  if (twice) throw new ConnectorError("schema", `the query gives two columns named ${twice.name}`);
  return {
    columns,
    table,
    sql,
    where: await boundsOf(session, request.cursor, columns),
    parameters: request.parameters ?? [],
    parameterTypes,
  };
}

const place = (index: number): string => `c${index + 1}`;

async function statementOf(
  session: Session,
  { table, query }: ReadRequest,
  defaultSchema: string | null,
): Promise<{ table: FoundTable | null; sql: string }> {
  if (query !== undefined) return { table: null, sql: query.replace(/[\s;]+$/, "") };
  if (table === undefined) throw new ConnectorError("refused", "neither a table nor a query is given");
  const found = await requireTable(session, parseTable(table, defaultSchema));
  return { table: found, sql: `select * from ${quoteTable(found)}` };
}

function cursorOf(
  columns: readonly ResultColumn[],
  name: string,
): { expression: string; type: string; index: number } {
  const index = columns.findIndex((column) => column.name === name);
  const column = columns[index];
  if (!column) throw new ConnectorError("notFound", `there is no column ${name} for a cursor`);
  return { expression: `q.${place(index)}`, type: column.nativeType, index };
}

/** The upper bound is closed, the lower one open: the next run begins where this one ended. */
async function boundsOf(
  session: Session,
  cursor: ReadRequest["cursor"],
  columns: readonly ResultColumn[],
): Promise<string> {
  if (!cursor) return "";
  const { expression, type } = cursorOf(columns, cursor.column);
  const { rows } = await session.ask("select quote_literal($1::text), quote_literal($2::text)", [
    cursor.after,
    cursor.upTo,
  ]);
  const [after, upTo] = rows[0] ?? [];
  const lower = after == null ? "" : `${expression} > ${after}::${type} and `;
  return `where ${lower}${expression} <= ${upTo}::${type}`;
}

/** `(…) as q(c1, c2, …)`: columns are named by their place, so that no name is in the way. */
const fromOf = ({ columns, sql }: Source, part = ""): string =>
  `(${sql}${part}\n) as q(${columns.map((_, index) => place(index)).join(", ")})`;

/** Selects a source's rows in the common form; of a table only `part`, a `where` of the table itself. */
export function selectOf(source: Source, part?: string): string {
  const list = source.columns.map(
    ({ type }, index) => `${canonical(`q.${place(index)}`, type)} as ${place(index)}`,
  );
  return `select ${list.join(", ")} from ${fromOf(source, part)} ${source.where}`;
}

/** Copies what `selectOf` selects. */
export const copyOf = (source: Source, part?: string): string => `copy (${selectOf(source, part)}) to stdout`;

/** A source's columns, as those of its rows. */
export const columnsOf = ({ columns }: Source): Column[] =>
  columns.map(({ name, type, nullable }) => ({ name, type, nullable }));

/** The rows of a source. The session is given up with the stream, whatever way that ends. */
export function streamOf(session: Session, source: Source): RowStream {
  const rows =
    source.parameters.length > 0 || source.parameterTypes.length > 0
      ? session.rowsOut(selectOf(source), source.parameters, source.parameterTypes)
      : session.copyOut(copyOf(source));
  return { columns: columnsOf(source), chunks: closing(rows, session) };
}

async function* closing(rows: AsyncIterable<Uint8Array>, session: Session): AsyncGenerator<Uint8Array> {
  try {
    yield* rows;
  } finally {
    await session.close();
  }
}

/** The largest value of a column, in the common form. */
export async function largest(session: Session, source: Source, column: string): Promise<string | null> {
  const { expression, index } = cursorOf(source.columns, column);
  const type = source.columns[index]?.type ?? { kind: "text" };
  const sql = `select ${canonical(`max(${expression})`, type)} from ${fromOf(source)} ${source.where}`;
  const { rows } = await session.ask(sql, source.parameters, 1);
  return rows[0]?.[0] ?? null;
}
