/** A result's DuckDB types as common ones, and the SQL that makes canonical text (`connect/types.ts`) of values. */
import type { DuckDBType } from "@duckdb/node-api";
import type { CommonType } from "../../connect/types.ts";
import { mapped, numeric } from "./arrays.ts";

/** DuckDB's `Type` numbers, of which the library may only be asked once it is loaded. */
const id = {
  boolean: 1,
  tinyint: 2,
  smallint: 3,
  integer: 4,
  bigint: 5,
  utinyint: 6,
  usmallint: 7,
  uinteger: 8,
  ubigint: 9,
  float: 10,
  double: 11,
  timestamp: 12,
  date: 13,
  time: 14,
  hugeint: 16,
  blob: 18,
  decimal: 19,
  timestampS: 20,
  timestampMs: 21,
  timestampNs: 22,
  list: 24,
  struct: 25,
  map: 26,
  uuid: 27,
  union: 28,
  timestampTz: 31,
  uhugeint: 32,
  array: 33,
  bignum: 35,
} as const;

/** The common type of a result's column. Whatever has none travels as text. */
export function commonType(type: DuckDBType): CommonType {
  if (type.alias === "JSON") return { kind: "json" };
  switch (type.typeId as number) {
    case id.boolean:
      return { kind: "boolean" };
    case id.tinyint:
    case id.utinyint:
    case id.smallint:
      return { kind: "int16" };
    case id.usmallint:
    case id.integer:
      return { kind: "int32" };
    case id.uinteger:
    case id.bigint:
      return { kind: "int64" };
    case id.ubigint:
      return { kind: "decimal", precision: 20, scale: 0 };
    case id.hugeint:
      return { kind: "decimal", precision: 38, scale: 0 };
    case id.uhugeint:
    case id.bignum:
      return { kind: "decimal", precision: null, scale: 0 };
    case id.decimal: {
      const { width, scale } = type as DuckDBType & { width: number; scale: number };
      return { kind: "decimal", precision: width, scale };
    }
    case id.float:
      return { kind: "float32" };
    case id.double:
      return { kind: "float64" };
    case id.timestamp:
    case id.timestampS:
    case id.timestampMs:
    case id.timestampNs:
      return { kind: "timestamp", zoned: false };
    case id.timestampTz:
      return { kind: "timestamp", zoned: true };
    case id.date:
      return { kind: "date" };
    case id.time:
      return { kind: "time" };
    case id.uuid:
      return { kind: "uuid" };
    case id.blob:
      return { kind: "bytes" };
    case id.struct:
    case id.map:
    case id.union:
      return { kind: "json" };
    case id.list:
    case id.array:
      return { kind: "array", of: commonType(elementOf(type)) };
    default:
      return { kind: "text" };
  }
}

/** DuckDB writes `1.0`, `nan` and `inf`. */
const floatText = (x: string): string =>
  `CASE WHEN isfinite(${x}) THEN regexp_replace(CAST(${x} AS VARCHAR), '\\.0$', '') WHEN isnan(${x}) THEN 'NaN' WHEN ${x} > 0 THEN 'Infinity' WHEN ${x} < 0 THEN '-Infinity' END`;

/** A value's canonical text before it is escaped, and whether it may hold anything that has to be. NULL stays NULL. */
export function writing(
  type: DuckDBType,
  common: CommonType,
  value: string,
): { text: string; plain: boolean } {
  switch (common.kind) {
    case "boolean":
      return { text: `CAST(CAST(${value} AS TINYINT) AS VARCHAR)`, plain: true };
    case "float32":
    case "float64":
      return { text: floatText(value), plain: true };
    case "timestamp":
      return { text: timestampText(common.zoned, value), plain: true };
    case "bytes":
      return { text: bytesText(value), plain: false };
    case "date":
      return { text: `replace(CAST(${value} AS VARCHAR), ' (BC)', ' BC')`, plain: true };
    case "json":
      return { text: jsonText(type, value), plain: false };
    case "array":
      return { text: arrayText(type, common, value), plain: false };
    case "text":
      return { text: `CAST(${value} AS VARCHAR)`, plain: false };
    default:
      return { text: `CAST(${value} AS VARCHAR)`, plain: true };
  }
}

const timestampText = (zoned: boolean, value: string): string =>
  `CAST(${zoned ? `${value} AT TIME ZONE 'UTC'` : value} AS VARCHAR)`;

const bytesText = (value: string): string => `'\\x' || lower(hex(${value}))`;

/** JSON is text already; structures, maps and unions become it. */
const jsonText = (type: DuckDBType, value: string): string =>
  `CAST(${type.alias === "JSON" ? value : `to_json(${value})`} AS VARCHAR)`;

const elementOf = (type: DuckDBType): DuckDBType =>
  (type as DuckDBType & { valueType: DuckDBType }).valueType;

function arrayText(type: DuckDBType, common: CommonType, list: string): string {
  let [element, inner, depth] = [common, type, 0];
  for (; element.kind === "array"; element = element.of) {
    inner = elementOf(inner);
    depth++;
  }
  if (numeric.has(element.kind)) return numbersText(element, list);
  const texts = mapped(list, depth, (x) => writing(inner, element, x).text);
  return `CAST(to_json(${texts}) AS VARCHAR)`;
}

/** DuckDB writes `[1.0, NULL, nan]`; JSON wants `[1,null,"NaN"]`. */
function numbersText(element: CommonType, list: string): string {
  const text = `replace(replace(CAST(${list} AS VARCHAR), ', ', ','), 'NULL', 'null')`;
  if (element.kind !== "float32" && element.kind !== "float64") return text;
  const infinite = `replace(replace(replace(${text}, '-inf', '"-Infinity"'), 'inf', '"Infinity"'), 'nan', '"NaN"')`;
  return `regexp_replace(${infinite}, '\\.0([],])', '\\1', 'g')`;
}
