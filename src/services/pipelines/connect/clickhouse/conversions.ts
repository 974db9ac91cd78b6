/** SQL that makes a column's final values of its loaded ones, and that tells when one would become another. */
import { ConnectorError } from "../connector.ts";
import { decimalOf, isDecimal } from "./decimals.ts";
import type { NativeType } from "./native-types.ts";
import { quoteName } from "./sql.ts";

export interface Conversion {
  /** SQL: the final value of a loaded one. */
  value: string;
  /** SQL: whether the final value would not be the same value, or NULL has no place. */
  isLost: string;
  /** Taken instead of a refusal, where the column is made by us: a date that Date cannot hold. */
  otherwise: string | null;
}

export const nullable = (type: string, isNullable: boolean): string =>
  isNullable ? `Nullable(${type})` : type;

/** Between columns that are no arrays. Throws `ConnectorError` "unsupported" for what only an array can be written into. */
export function conversionOf(name: string, from: NativeType, to: NativeType): Conversion {
  if (to.common.kind === "array")
    throw new ConnectorError("unsupported", `Column ${name}: only arrays can be written into ${to.base}`);
  const column = quoteName(name);
  const noNull = from.nullable && !to.nullable;
  const value = converted(column, from, to);
  // A comparison with NULL is NULL, which counts as no loss.
  const losses = [isDifferent(column, value, from, to), ...tooLong(column, from, to)];
  const isLost = [...(noNull ? [`isNull(${column})`] : []), ...losses.map((each) => `ifNull(${each}, 0)`)];
  return {
    value: to.nullable ? value : `assumeNotNull(${value})`,
    isLost: isLost.join(" OR "),
    otherwise: null,
  };
}

function isDifferent(column: string, value: string, from: NativeType, to: NativeType): string {
  if (from.base === to.base) return "0";
  if (from.base === "String")
    return isDecimal(to)
      ? `NOT ${decimalOf(column, to).isHeld}`
      : `ifNull(${to.canonical(value)}, '') != ${column}`;
  const back = `CAST(${value} AS ${nullable(from.base, from.nullable)})`;
  return /^Float/.test(from.base) ? `NOT (${back} = ${column} OR isNaN(${column}))` : `${back} != ${column}`;
}

/** ClickHouse keeps decimals of more digits than their type has, as long as its integers hold them. */
function tooLong(column: string, from: NativeType, { common }: NativeType): string[] {
  if (from.base === "String" || common.kind !== "decimal" || common.precision === null) return [];
  const limit = `1e${common.precision - common.scale}`;
  return [`toFloat64(${column}) >= ${limit}`, `toFloat64(${column}) <= -${limit}`];
}

function converted(column: string, from: NativeType, to: NativeType): string {
  if (from.base === to.base) return column;
  if (from.base !== "String") return `CAST(${column} AS ${nullable(to.base, from.nullable || to.nullable)})`;
  const moment = momentOf(column, to);
  if (moment) return moment;
  if (!isDecimal(to)) return `CAST(${column} AS ${nullable(to.base, from.nullable)})`;
  const { value } = decimalOf(column, to);
  return from.nullable ? `if(isNull(${column}), NULL, ${value})` : value;
}

/** SQL: a text as a day or an instant, NULL where it is none. Null for types that are neither. */
export function momentOf(text: string, { base }: NativeType): string | null {
  if (base === "Date" || base === "Date32") return `to${base}OrNull(${text})`;
  if (base.startsWith("DateTime64"))
    return `toDateTime64OrNull(${text}, ${Number.parseInt(base.slice(11), 10)}, 'UTC')`;
  return base.startsWith("DateTime") ? `toDateTimeOrNull(${text}, 'UTC')` : null;
}
