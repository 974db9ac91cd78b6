/** The common types as DuckDB's, and the SQL that makes values of canonical text (`connect/types.ts`). */
import type { CommonType } from "../../connect/types.ts";
import { mapped, numeric } from "./arrays.ts";
import { unescaped } from "./escapes.ts";

/** Numbers that DuckDB cannot hold exactly stay text: nothing is ever rounded on the way. */
const isBounded = (type: Extract<CommonType, { kind: "decimal" }>): boolean =>
  type.precision !== null && type.precision <= 38 && type.scale >= 0 && type.scale <= type.precision;

const named = {
  boolean: "BOOLEAN",
  int16: "SMALLINT",
  int32: "INTEGER",
  int64: "BIGINT",
  float32: "FLOAT",
  float64: "DOUBLE",
  text: "VARCHAR",
  uuid: "UUID",
  json: "JSON",
  bytes: "BLOB",
  date: "DATE",
  time: "TIME",
} as const;

/** DuckDB's name of a common type. */
export function typeName(type: CommonType): string {
  switch (type.kind) {
    case "decimal":
      return isBounded(type) ? `DECIMAL(${type.precision}, ${type.scale})` : "VARCHAR";
    case "timestamp":
      return type.zoned ? "TIMESTAMPTZ" : "TIMESTAMP";
    case "array":
      return `${typeName(type.of)}[]`;
    default:
      return named[type.kind];
  }
}

/** How a column is read from a file of canonical rows: the type that the CSV reader is told, and the value made of it. */
export function reading(type: CommonType, column: string): { read: string; value: string } {
  switch (type.kind) {
    case "text":
      return { read: "VARCHAR", value: unescaped(column) };
    case "json":
      return { read: "VARCHAR", value: `CAST(${unescaped(column)} AS JSON)` };
    case "date":
      // What follows a date DuckDB passes over.
      return { read: "VARCHAR", value: `CAST(replace(${column}, ' BC', ' (BC)') AS DATE)` };
    case "bytes":
      // In the file it is `\\x6869`: its own backslash is escaped.
      return { read: "VARCHAR", value: `from_hex(substr(${column}, 4))` };
    case "timestamp":
      return { read: "TIMESTAMP", value: type.zoned ? `${column} AT TIME ZONE 'UTC'` : column };
    case "array":
      return { read: "VARCHAR", value: listOf(type, unescaped(column)) };
    default:
      return { read: typeName(type), value: column };
  }
}

/** A JSON array as a list. Numbers go by DuckDB's own list syntax, which reads them digit by digit: its JSON reader goes through floating point. */
function listOf(type: CommonType, json: string): string {
  let [element, brackets] = [type, ""];
  for (; element.kind === "array"; element = element.of) brackets += "[]";
  if (numeric.has(element.kind)) return `CAST(${json} AS ${typeName(type)})`;
  const texts = `CAST(CAST(${json} AS JSON) AS VARCHAR${brackets})`;
  if (element.kind === "bytes") return mapped(texts, brackets.length / 2, (x) => `from_hex(substr(${x}, 3))`);
  return element.kind === "text" ? texts : `CAST(${texts} AS ${typeName(type)})`;
}
