/** Writing ClickHouse's SQL: names, literals, parameters. ClickHouse 18.16 has no bound parameters, so all values pass through `literal`. */
import { ConnectorError } from "../connector.ts";

export type Value = string | number | boolean | null;

const escapes: Record<string, string> = {
  "\\": "\\\\",
  "'": "\\'",
  "`": "\\`",
  "\0": "\\0",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

const special = /[\\'`\0\b\f\n\r\t]/g;

const escaped = (text: string): string => text.replace(special, (character) => escapes[character] ?? "");

/** A value as a literal that ClickHouse reads back as the same value; booleans as 1 and 0. */
export function literal(value: Value): string {
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "string") return `'${escaped(value)}'`;
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "(-inf)";
  return value < 0 || Object.is(value, -0) ? `(-${String(-value)})` : String(value);
}

/** A name in backquotes. */
export const quoteName = (name: string): string => `\`${escaped(name)}\``;

/** A string, a quoted name or a comment, in which `$1` is only text; else a parameter. */
const token =
  /'(?:\\[\s\S]|''|[^'\\])*'|"(?:\\[\s\S]|[^"\\])*"|`(?:\\[\s\S]|[^`\\])*`|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\d+)/g;

/** Puts literals where `$1`, `$2`… stand. Throws `ConnectorError` "refused" for one that was not given. */
export function withParameters(query: string, parameters: readonly Value[]): string {
  return query.replace(token, (whole, number?: string) => {
    if (number === undefined) return whole;
    const value = parameters[Number(number) - 1];
    if (value === undefined)
      throw new ConnectorError("refused", `The query's parameter ${whole} has no value`);
    return literal(value);
  });
}

/** A table by database and name. */
export interface TableName {
  database: string;
  table: string;
}

/** `database.table`, or `table` of the database that is given. Only the first dot divides. */
export function tableName(name: string, database: string): TableName {
  const dot = name.indexOf(".");
  return dot < 0 ? { database, table: name } : { database: name.slice(0, dot), table: name.slice(dot + 1) };
}

export const quoteTable = ({ database, table }: TableName): string =>
  `${quoteName(database)}.${quoteName(table)}`;

const unescapes: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "0": "\0" };

/** A field of TabSeparated as its text; null for `\N`. */
export const unescapeField = (field: string): string | null =>
  field === "\\N"
    ? null
    : field.replace(/\\([\s\S])/g, (_, character: string) => unescapes[character] ?? character);

/** A small answer in TabSeparated, as rows of texts. */
export const parseRows = (text: string): (string | null)[][] =>
  text === ""
    ? []
    : text
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => line.split("\t").map(unescapeField));
