/** How a column of the rows gets into a column of the table without a value becoming another one on the way. */
import { ConnectorError } from "../connector.ts";
import type { Column, CommonType } from "../types.ts";
import type { TableColumn } from "./catalogue.ts";
import { type Abilities, madeType, type NativeType, nativeType } from "./native-types.ts";
import { quoteName } from "./sql.ts";

/** One column: what it is loaded as, and how that becomes what the table has. */
export interface ColumnPlan {
  name: string;
  /** The type that the rows are loaded as. */
  loaded: string;
  /** The type that the table has or gets. */
  final: string;
  /** Null when both are the same. */
  conversion: Conversion | null;
}

interface Conversion {
  /** SQL: the final value of a loaded one. */
  value: string;
  /** SQL: whether the final value would not be the same value, or NULL has no place. */
  isLost: string;
  /** Taken instead of a refusal, where the column is made by us: a date that Date cannot hold. */
  otherwise: string | null;
}

const nullable = (type: string, isNullable: boolean): string => (isNullable ? `Nullable(${type})` : type);

const widths: Partial<Record<CommonType["kind"], number>> = { int16: 16, int32: 32, int64: 64 };

/** Whether ClickHouse reads the canonical text of one as a value of the other without loss, or fails. */
function isReadAs({ type }: Column, made: string, to: NativeType): boolean {
  if (to.base === "String") return true;
  // ClickHouse reads impossible dates, and times in zones of its own.
  if (type.kind === "date" || (type.kind === "timestamp" && made === "String")) return false;
  if (made === to.base) return made !== "String";
  const toWidth = /^Int(16|32|64)$/.exec(to.base);
  const width = type.kind === "boolean" ? 1 : widths[type.kind];
  if (toWidth && width !== undefined) return width <= Number(toWidth[1]);
  // Rounded, as everywhere.
  return /^float/.test(type.kind) && to.base.startsWith("Float");
}

/** For a column of a table that is there. Throws `ConnectorError` "unsupported" for arrays. */
export function planFor(column: Column, target: TableColumn, abilities: Abilities): ColumnPlan {
  const { name } = column;
  const made = madeType(column.type, abilities);
  const { type: to, nativeType: final } = target;
  if (isReadAs(column, made, to) && (!column.nullable || to.nullable))
    return { name, loaded: final, final, conversion: null };
  const isText = column.type.kind === "date" || column.type.kind === "timestamp";
  const loaded = nullable(isText ? "String" : made, column.nullable);
  return { name, loaded, final, conversion: conversionOf(name, nativeType(loaded), to) };
}

/** For a column that is made. `isKey`: it names rows, and so cannot be NULL. */
export function planForMade(column: Column, abilities: Abilities, isKey: boolean): ColumnPlan {
  const { name } = column;
  const made = madeType(column.type, abilities);
  const final = nullable(made, column.nullable && !isKey);
  const loaded = nullable(made === "Date" ? "String" : made, column.nullable);
  if (loaded === final) return { name, loaded, final, conversion: null };
  const conversion = conversionOf(name, nativeType(loaded), nativeType(final));
  const otherwise = made === "Date" ? nullable("String", column.nullable && !isKey) : null;
  return { name, loaded, final, conversion: { ...conversion, otherwise } };
}

/** The same column, kept as the text that it was loaded as. */
export const keptAsText = (plan: ColumnPlan, text: string): ColumnPlan => ({
  ...plan,
  final: text,
  conversion: { ...conversionOf(plan.name, nativeType(plan.loaded), nativeType(text)), otherwise: null },
});

function conversionOf(name: string, from: NativeType, to: NativeType): Conversion {
  const column = quoteName(name);
  const noNull = from.nullable && !to.nullable;
  const value = converted(name, column, from, to);
  const isDifferent =
    from.base === to.base
      ? "0"
      : from.base === "String"
        ? `ifNull(${to.canonical(value)}, '') != ${column}`
        : /^Float/.test(from.base)
          ? `NOT (CAST(${value} AS ${nullable(from.base, from.nullable)}) = ${column} OR isNaN(${column}))`
          : `CAST(${value} AS ${nullable(from.base, from.nullable)}) != ${column}`;
  // A comparison with NULL is NULL, which counts as no loss.
  const losses = [isDifferent, ...tooLong(column, from, to)].map((each) => `ifNull(${each}, 0)`);
  const isLost = [...(noNull ? [`isNull(${column})`] : []), ...losses].join(" OR ");
  return { value: to.nullable ? value : `assumeNotNull(${value})`, isLost, otherwise: null };
}

/** ClickHouse keeps decimals of more digits than their type has, as long as its integers hold them. */
function tooLong(column: string, from: NativeType, { common }: NativeType): string[] {
  if (from.base === "String" || common.kind !== "decimal" || common.precision === null) return [];
  const limit = `1e${common.precision - common.scale}`;
  return [`toFloat64(${column}) >= ${limit}`, `toFloat64(${column}) <= -${limit}`];
}

function converted(name: string, column: string, from: NativeType, to: NativeType): string {
  if (from.base === to.base) return column;
  if (to.common.kind === "array")
    throw new ConnectorError("unsupported", `Column ${name}: ClickHouse's arrays can be read, not written`);
  if (from.base !== "String") return `CAST(${column} AS ${nullable(to.base, from.nullable || to.nullable)})`;
  if (to.base === "Date" || to.base === "Date32") return `to${to.base}OrNull(${column})`;
  if (to.base.startsWith("DateTime64"))
    return `toDateTime64OrNull(${column}, ${Number.parseInt(to.base.slice(11), 10)}, 'UTC')`;
  if (to.base.startsWith("DateTime")) return `toDateTimeOrNull(${column}, 'UTC')`;
  return `CAST(${column} AS ${nullable(to.base, from.nullable)})`;
}

/** The definition of a table of these columns. */
export const definitionOf = (columns: readonly { name: string; type: string }[]): string =>
  columns.map(({ name, type }) => `${quoteName(name)} ${type}`).join(", ");
