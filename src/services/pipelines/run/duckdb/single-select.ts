/** What a user's SQL may be: one SELECT that calls nothing but harmless table functions. */
import type { Database } from "./database.ts";
import { DuckDbError } from "./duckdb-error.ts";

/** Others read files, print to our output (`enable_profiling`), take addresses of memory (`arrow_scan`) or run text as SQL. */
const tableFunctions = new Set([
  ...["generate_series", "range", "unnest", "repeat", "repeat_row"],
  ...["json_each", "json_tree", "pg_timezone_names"],
]);

interface Serialized {
  error: boolean;
  error_message?: string;
  statements?: unknown[];
}

/**
 * The statement without its semicolon and what follows it, fit to be put in brackets. Throws DuckDbError, before anything is run, unless it is one SELECT
 * (or WITH, FROM, VALUES) that DuckDB can make sense of.
 */
export async function singleSelect(database: Database, sql: string): Promise<string> {
  const count = await database.countStatements(sql);
  if (count !== 1)
    throw refused(count === 0 ? "there is no SQL" : "the SQL must be one SELECT, not several statements");
  const json = await database.ask(
    "SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)",
    [sql],
  );
  const { error, error_message, statements } = JSON.parse(json ?? "{}") as Serialized;
  if (error !== false || statements?.length !== 1)
    throw refused(`the SQL must be one SELECT${error_message ? `: ${error_message}` : ""}`);
  const forbidden = tableFunctionsOf(statements).find((name) => !tableFunctions.has(name));
  if (forbidden !== undefined) throw refused(`the table function ${forbidden} is not allowed`);
  await database.check(sql);
  return await withoutSemicolon(database, sql);
}

const refused = (message: string) => new DuckDbError("sql", message);

/** Names of the functions that stand where tables do, anywhere in a parsed statement. */
function tableFunctionsOf(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  const found = Object.values(node).flatMap(tableFunctionsOf);
  const { type, function: call } = node as { type?: unknown; function?: { function_name?: string } };
  return type === "TABLE_FUNCTION" ? [call?.function_name?.toLowerCase() ?? "", ...found] : found;
}

/** The longest beginning that can stand in brackets: there is one statement, so whatever follows its own semicolon is empty or a comment. */
async function withoutSemicolon(database: Database, sql: string): Promise<string> {
  for (let end = sql.length; end > 0; end = sql.lastIndexOf(";", end - 1)) {
    const statement = sql.slice(0, end);
    const isWhole = await database.countStatements(`SELECT * FROM (${statement}\n)`).catch(() => 0);
    if (isWhole === 1) return statement;
  }
  throw refused("the SQL must be a SELECT");
}
