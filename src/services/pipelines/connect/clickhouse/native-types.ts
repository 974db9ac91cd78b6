/**
 * ClickHouse's types and the common ones.
 *
 * | ClickHouse, read | common |
 * |---|---|
 * | Bool | boolean |
 * | Int8, UInt8, Int16 | int16 |
 * | UInt16, Int32 | int32 |
 * | UInt32, Int64 | int64 |
 * | UInt64 | decimal(20,0) |
 * | Float32, Float64 | float32, float64 |
 * | Decimal(P,S) | decimal(P,S) |
 * | String, FixedString (without its NULs at the end), Enum | text |
 * | UUID | uuid |
 * | Date, Date32 | date |
 * | DateTime, DateTime64 | timestamp, zoned: an instant |
 * | Array(T) | array of T |
 * | Nullable(T), LowCardinality(T) | T |
 * | all else | text, by `toString` |
 *
 * | common | ClickHouse, made |
 * |---|---|
 * | boolean | UInt8 |
 * | int16, int32, int64 | Int16, Int32, Int64 |
 * | float32, float64 | Float32, Float64 |
 * | decimal(P,S) | Decimal(P,S) up to 38 digits, else String |
 * | decimal without precision | Decimal(38,18), when every value of the rows that make the table fits exactly; else String |
 * | uuid | UUID |
 * | date | Date when every value of the rows that make the table lies within it (1970 to 2105), else String; see `stage.ts` |
 * | timestamp | DateTime64(6, 'UTC') from version 20.6 on; before it String, which sorts as the times do. DateTime would lose fractions, and the rows to come are not known |
 * | text, json, time, bytes (`\x…`) | String |
 * | array of boolean, int…, float…, decimal(P,S), text, uuid, date, or of arrays of these | Array(Nullable(T)), Array(Array(Nullable(T))), when every value of the rows that make the table fits and none is NULL; else String (JSON) |
 * | array of something else; array in a key or in a column that is added to a table | String (JSON) |
 *
 * A timestamp without zone is kept as if it were UTC and comes back as an instant, with the same text.
 */
import type { CommonType } from "../types.ts";

export interface NativeType {
  common: CommonType;
  nullable: boolean;
  /** Without Nullable and LowCardinality. */
  base: string;
  /** Makes of an expression of the type one whose TabSeparated text is canonical. NULL stays NULL. */
  canonical(expression: string): string;
}

const simple: Record<string, CommonType> = {
  Bool: { kind: "boolean" },
  Int8: { kind: "int16" },
  UInt8: { kind: "int16" },
  Int16: { kind: "int16" },
  UInt16: { kind: "int32" },
  Int32: { kind: "int32" },
  UInt32: { kind: "int64" },
  Int64: { kind: "int64" },
  UInt64: { kind: "decimal", precision: 20, scale: 0 },
  Float32: { kind: "float32" },
  Float64: { kind: "float64" },
  String: { kind: "text" },
  UUID: { kind: "uuid" },
  Date: { kind: "date" },
  Date32: { kind: "date" },
};

const same = (expression: string): string => expression;
const asText = (expression: string): string => `toString(${expression})`;
const asNumber = (expression: string): string => `toUInt8(${expression})`;

const asFloat = (x: string): string =>
  `multiIf(isNaN(${x}), 'NaN', isInfinite(${x}), if(${x} > 0, 'Infinity', '-Infinity'), toString(${x}))`;

/** Old servers write their day zero as `0000-00-00`. */
const asDate = (x: string): string => `if(toString(${x}) = '0000-00-00', '1970-01-01', toString(${x}))`;
const asDateTime = (x: string): string =>
  `if(toString(${x}, 'UTC') = '0000-00-00 00:00:00', '1970-01-01 00:00:00', toString(${x}, 'UTC'))`;
const asDateTime64 = (x: string): string =>
  `replaceRegexpOne(replaceRegexpOne(toString(${x}, 'UTC'), '0+$', ''), '[.]$', '')`;

/** `Name(argument)` as its parts; the argument empty where there is none. */
function partsOf(type: string): { name: string; argument: string } {
  const open = type.indexOf("(");
  return open < 0
    ? { name: type, argument: "" }
    : { name: type.slice(0, open), argument: type.slice(open + 1, type.lastIndexOf(")")) };
}

/** What a type's name, as `system.columns` has it, means. Unknown ones are text. */
export function nativeType(type: string): NativeType {
  const { name, argument } = partsOf(type.trim());
  if (name === "Nullable") return { ...nativeType(argument), nullable: true };
  if (name === "LowCardinality") return nativeType(argument);
  const [common, canonical] = meaningOf(type.trim(), name, argument);
  return { common, nullable: false, base: type.trim(), canonical };
}

function meaningOf(type: string, name: string, argument: string): [CommonType, (x: string) => string] {
  const known = simple[type];
  if (known) {
    if (known.kind === "boolean") return [known, asNumber];
    if (known.kind === "date") return [known, asDate];
    return [known, known.kind === "float32" || known.kind === "float64" ? asFloat : same];
  }
  const instant: CommonType = { kind: "timestamp", zoned: true };
  switch (name) {
    case "Decimal": {
      const [precision, scale] = argument.split(",").map(Number);
      return [{ kind: "decimal", precision: precision ?? null, scale: scale ?? 0 }, same];
    }
    case "DateTime":
      return [instant, asDateTime];
    case "DateTime64":
      return [instant, Number.parseInt(argument, 10) > 0 ? asDateTime64 : asDateTime];
    case "Array": {
      const element = nativeType(argument);
      return [{ kind: "array", of: element.common }, (x) => asJson(x, element)];
    }
    default:
      return [{ kind: "text" }, asText];
  }
}

/** The text of an array in JSON. There are no functions for it in 18.16. */
function asJson(array: string, element: NativeType, depth = 0): string {
  const x = `x${depth}`;
  const { kind } = element.common;
  const isPlain = /^(boolean|u?int|decimal)/.test(kind);
  const text =
    kind === "array"
      ? asJson(x, nativeType(partsOf(element.base).argument), depth + 1)
      : isPlain
        ? `toString(${element.canonical(x)})`
        : kind === "float32" || kind === "float64"
          ? // JSON has no numbers that are none: they are strings.
            `if(isNaN(${x}) OR isInfinite(${x}), concat('"', ${asFloat(x)}, '"'), toString(${x}))`
          : `concat('"', ${jsonEscaped(`toString(${element.canonical(x)})`)}, '"')`;
  const item = element.nullable ? `ifNull(${text}, 'null')` : text;
  return `concat('[', arrayStringConcat(arrayMap(${x} -> ${item}, ${array}), ','), ']')`;
}

const short: Record<number, string> = { 8: "b", 9: "t", 10: "n", 12: "f", 13: "r" };

function jsonEscaped(expression: string): string {
  let sql = `replaceAll(replaceAll(${expression}, '\\\\', '\\\\\\\\'), '"', '\\\\"')`;
  for (let code = 0; code < 0x20; code++) {
    const name = short[code] ?? `u${code.toString(16).padStart(4, "0")}`;
    sql = `replaceAll(${sql}, ${controlLiteral(code)}, '\\\\${name}')`;
  }
  return sql;
}

const controlLiteral = (code: number): string => `'\\x${code.toString(16).padStart(2, "0")}'`;

/** What a server can do, by its version. */
export interface Abilities {
  dateTime64: boolean;
}

/** From what `SELECT version()` answered. */
export function abilitiesOf(version: string): Abilities {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return { dateTime64: major > 20 || (major === 20 && minor >= 6) };
}

const mostDigits = 38;
/** 20 digits before the point, more than any count has; behind it enough for averages, whose number of digits varies. */
const openDecimal = `Decimal(${mostDigits}, 18)`;

/** Whether numbers of a type may have any number of digits. */
export const isOpen = (type: CommonType): boolean => type.kind === "decimal" && type.precision === null;

/** The type that a made column gets; without Nullable. */
export function madeType(type: CommonType, { dateTime64 }: Abilities): string {
  switch (type.kind) {
    case "boolean":
      return "UInt8";
    case "int16":
    case "int32":
    case "int64":
      return `Int${type.kind.slice(3)}`;
    case "float32":
    case "float64":
      return `Float${type.kind.slice(5)}`;
    case "decimal": {
      if (isOpen(type)) return openDecimal;
      const fits = type.precision !== null && type.precision <= mostDigits && type.scale >= 0;
      return fits && type.scale <= Number(type.precision)
        ? `Decimal(${type.precision}, ${type.scale})`
        : "String";
    }
    case "uuid":
      return "UUID";
    case "date":
      return "Date";
    case "timestamp":
      return dateTime64 ? "DateTime64(6, 'UTC')" : "String";
    case "text":
    case "json":
    case "bytes":
    case "time":
      return "String";
    case "array":
      return madeArray(type.of);
  }
}

/** Any element may be NULL, but for arrays. Elements that would become text have a text of their own in JSON, which stays. */
function madeArray(of: CommonType): string {
  // Instants too, whatever the version: what is made then differs from server to server in one thing less.
  const made = madeType(of, { dateTime64: false });
  if (made === "String" && of.kind !== "text") return "String";
  // Longer ones ClickHouse 18.16 does not write right inside arrays.
  if (of.kind === "decimal" && of.precision !== null && of.precision - of.scale > 20) return "String";
  return of.kind === "array" ? `Array(${made})` : `Array(Nullable(${made}))`;
}
