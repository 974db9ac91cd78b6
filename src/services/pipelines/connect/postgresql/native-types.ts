/** PostgreSQL's types and the common ones: both ways, and how a value is written in the common form. */
import type { CommonType } from "../types.ts";

/** Numbers of the built-in types (PostgreSQL's `pg_type.dat`); they never change. */
const scalars: Record<number, CommonType> = {
  16: { kind: "boolean" },
  17: { kind: "bytes" },
  20: { kind: "int64" },
  21: { kind: "int16" },
  23: { kind: "int32" },
  114: { kind: "json" },
  700: { kind: "float32" },
  701: { kind: "float64" },
  1082: { kind: "date" },
  1083: { kind: "time" },
  1114: { kind: "timestamp", zoned: false },
  1184: { kind: "timestamp", zoned: true },
  2950: { kind: "uuid" },
  3802: { kind: "json" },
};

const numeric = 1700;

/** Of each array type its element's. */
const elements: Record<number, number> = {
  1000: 16,
  1001: 17,
  1003: 19,
  1005: 21,
  1007: 23,
  1009: 25,
  1014: 1042,
  1015: 1043,
  1016: 20,
  1021: 700,
  1022: 701,
  1115: 1114,
  1182: 1082,
  1183: 1083,
  1185: 1184,
  1231: numeric,
  199: 114,
  2951: 2950,
  3807: 3802,
};

/** A type as a result or the catalogue tells of it. */
export interface NativeType {
  type: number;
  modifier: number;
  /** The element's type where the catalogue told of an array that is not built in but known here: citext's. */
  element?: number | undefined;
}

/** A type of PostgreSQL as a common one; what is not known is text, in its output form. */
export function commonType({ type, modifier, element }: NativeType): CommonType {
  const of = element ?? elements[type];
  if (of !== undefined) return { kind: "array", of: commonType({ type: of, modifier }) };
  return type === numeric ? decimal(modifier) : (scalars[type] ?? { kind: "text" });
}

function decimal(modifier: number): CommonType {
  if (modifier < 4) return { kind: "decimal", precision: null, scale: 0 };
  const precision = ((modifier - 4) >> 16) & 0xffff;
  // The scale has 11 bits and a sign (PostgreSQL 15).
  const scale = (((modifier - 4) & 0x7ff) ^ 0x400) - 0x400;
  return scale < 0
    ? { kind: "decimal", precision: precision - scale, scale: 0 }
    : { kind: "decimal", precision, scale };
}

const mostPrecision = 1000;

/** The type that a new column gets. `json` keeps a value's text as it was, where `jsonb` would write it anew and refuse `\u0000`. */
export function ddlType(type: CommonType): string {
  switch (type.kind) {
    case "boolean":
    case "text":
    case "uuid":
    case "json":
    case "date":
    case "time":
      return type.kind;
    case "int16":
      return "smallint";
    case "int32":
      return "integer";
    case "int64":
      return "bigint";
    case "float32":
      return "real";
    case "float64":
      return "double precision";
    case "bytes":
      return "bytea";
    case "timestamp":
      return type.zoned ? "timestamp with time zone" : "timestamp without time zone";
    case "decimal": {
      const { precision, scale } = type;
      const isBounded =
        precision !== null && precision >= 1 && precision <= mostPrecision && scale <= precision;
      return isBounded ? `numeric(${precision},${scale})` : "numeric";
    }
    case "array":
      return type.of.kind === "array" ? ddlType(type.of) : `${ddlType(type.of)}[]`;
  }
}

/** Kinds whose arrays `to_json` writes as the common form wants; the others' elements become text first. */
const plainInJson = new Set<CommonType["kind"]>([
  "boolean",
  "int16",
  "int32",
  "int64",
  "float32",
  "float64",
  "decimal",
  "text",
  "uuid",
]);

/** The expression that writes a column in the common form, in a session with time zone UTC; everything else is so in PostgreSQL's own output. */
export function canonical(expression: string, type: CommonType): string {
  if (type.kind === "boolean") return `${expression}::integer`;
  if (type.kind === "timestamp" && type.zoned) return `${expression} at time zone 'UTC'`;
  if (type.kind !== "array") return expression;
  const element = type.of;
  if (element.kind === "timestamp" && element.zoned) return `to_json(${expression}::timestamp[]::text[])`;
  return plainInJson.has(element.kind) ? `to_json(${expression})` : `to_json(${expression}::text[])`;
}

/** The expression that makes an array of `native` from its JSON. Elements that are JSON come as strings, which only text takes as such. */
export function arrayFromJson(expression: string, native: string): string {
  const element = /^jsonb?\[\]$/.test(native) ? "text[]" : native;
  const made = `(select v from json_to_record(json_build_object('v', ${expression}::json)) as r(v ${element}))`;
  return element === native ? made : `${made}::${native}`;
}
