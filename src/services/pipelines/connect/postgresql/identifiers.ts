/** Names of PostgreSQL's objects. */
import { createHash } from "node:crypto";
import { ConnectorError } from "../connector.ts";

/** A table's name in its parts, as the catalogue holds them. */
export interface TableName {
  /** Null: wherever the search path finds it. */
  schema: string | null;
  name: string;
}

const mostBytes = 63;

/** An identifier, quoted. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `"schema"."table"`. */
export const quoteTable = ({ schema, name }: TableName): string =>
  schema === null ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;

/** A list of quoted names. */
export const quoteList = (names: readonly string[]): string => names.map(quoteIdentifier).join(", ");

const part = /^\s*(?:"((?:[^"]|"")+)"|([^".]+?))\s*(?:\.|$)/;

/**
 * Reads `table`, `schema.table` or either part in double quotes. A part without quotes is taken as it stands. Throws `ConnectorError` with code `notFound`.
 */
export function parseTable(text: string, defaultSchema: string | null): TableName {
  const parts: string[] = [];
  let rest = text;
  for (let match = part.exec(rest); match; match = part.exec(rest)) {
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    rest = rest.slice(match[0].length);
    if (!match[0].endsWith(".")) break;
  }
  const [first, second] = parts;
  if (
    first === undefined ||
    text.includes("\0") ||
    parts.length > 2 ||
    rest !== "" ||
    text.trimEnd().endsWith(".")
  )
    throw new ConnectorError("notFound", `${text} is not the name of a table`);
  return second === undefined ? { schema: defaultSchema, name: first } : { schema: first, name: second };
}

/** Throws `ConnectorError` with code `schema` for a name that PostgreSQL would cut. */
export function checkName(name: string): void {
  if (name === "" || Buffer.byteLength(name) > mostBytes || name.includes("\0"))
    throw new ConnectorError(
      "schema",
      `"${name}" cannot be the name of a column: it must have 1 to 63 bytes`,
    );
}

/** The name of a run's staging table; of a long one its hash. */
export function stageName(runId: string): string {
  const name = `quintet_stage_${runId}`;
  if (Buffer.byteLength(name) <= mostBytes) return name;
  return `quintet_stage_${createHash("sha256").update(runId).digest("hex").slice(0, 40)}`;
}
