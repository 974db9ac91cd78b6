/** A query's rows as canonical text, streamed: DuckDB writes each row's line, so that only one string a row crosses over. */
import type { DuckDBType } from "@duckdb/node-api";
import type { Column, RowStream } from "../../connect/types.ts";
import type { Database, Parameters } from "./database.ts";
import { escaped } from "./escapes.ts";
import { commonType, writing } from "./writing.ts";

/** Characters of a chunk. */
const chunkSize = 1 << 20;

/**
 * The rows of one SELECT without its semicolon, which is trusted to be that. It starts when the chunks are first asked for and holds the database until they end: no other
 * statement may run meanwhile.
 */
export async function readRows(
  database: Database,
  select: string,
  parameters: Parameters = [],
): Promise<RowStream> {
  const empty = await database.query(`SELECT * FROM (${select}\n) LIMIT 0`, parameters);
  const types = empty.columnTypes();
  const columns = empty
    .columnNames()
    .map((name, index): Column => ({ name, type: commonType(typeAt(types, index)), nullable: true }));
  const texts = columns.map(({ type }, index) => writing(typeAt(types, index), type, `c${index}`));
  const inner = texts.map(({ text }, index) => `${text} AS t${index}`).join(", ");
  const fields = texts.map(
    ({ plain }, index) => `coalesce(${plain ? `t${index}` : escaped(`t${index}`)}, '\\N')`,
  );
  const aliases = columns.map((_, index) => `c${index}`).join(", ");
  const lines = `SELECT concat_ws(chr(9), ${fields.join(", ")}) FROM (SELECT ${inner} FROM (${select}\n) AS result (${aliases}))`;
  return { columns, chunks: chunksOf(database, lines, parameters) };
}

function typeAt(types: readonly DuckDBType[], index: number): DuckDBType {
  const type = types[index];
  if (!type) throw new Error("a column without a type");
  return type;
}

async function* chunksOf(
  database: Database,
  sql: string,
  parameters: Parameters,
): AsyncGenerator<Uint8Array> {
  const result = await database.query(sql, parameters);
  let lines: string[] = [];
  let size = 0;
  const taken = () => {
    const chunk = Buffer.from(`${lines.join("\n")}\n`);
    [lines, size] = [[], 0];
    return chunk;
  };
  for (let chunk = await database.next(result); chunk; chunk = await database.next(result)) {
    const vector = chunk.getColumnVector(0);
    for (let row = 0; row < chunk.rowCount; row++) {
      const line = vector.getItem(row) as string;
      lines.push(line);
      size += line.length + 1;
      if (size >= chunkSize) yield taken();
    }
  }
  if (size > 0) yield taken();
}
