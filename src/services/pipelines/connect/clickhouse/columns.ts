/** How a column of the rows gets into a column of the table without a value becoming another one on the way. */
import type { Column, CommonType } from "../types.ts";
import { arrayConversion } from "./arrays.ts";
import type { TableColumn } from "./catalogue.ts";
import { type Conversion, conversionOf, nullable } from "./conversions.ts";
import { type Abilities, isOpen, madeType, type NativeType, nativeType } from "./native-types.ts";
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

const widths: Partial<Record<CommonType["kind"], number>> = { int16: 16, int32: 32, int64: 64 };

/** Whether ClickHouse reads the canonical text of one as a value of the other without loss, or fails. */
function isReadAs({ type }: Column, made: string, to: NativeType): boolean {
  if (to.base === "String") return true;
  // ClickHouse reads impossible dates, and times in zones of its own.
  if (isOpen(type) || type.kind === "date" || (type.kind === "timestamp" && made === "String")) return false;
  if (made === to.base) return made !== "String";
  const toWidth = /^Int(16|32|64)$/.exec(to.base);
  const width = type.kind === "boolean" ? 1 : widths[type.kind];
  if (toWidth && width !== undefined) return width <= Number(toWidth[1]);
  // Rounded, as everywhere.
  return /^float/.test(type.kind) && to.base.startsWith("Float");
}

/** For a column of a table that is there. Throws `ConnectorError` "unsupported" where an array meets something else that is no text, or numbers in it meet no numbers. */
export function planFor(column: Column, target: TableColumn, abilities: Abilities): ColumnPlan {
  const { name, type } = column;
  const made = madeType(type, abilities);
  const { nativeType: final, type: to } = target;
  if (isReadAs(column, made, to) && (!column.nullable || to.nullable))
    return { name, loaded: final, final, conversion: null };
  const isText = isOpen(type) || ["date", "timestamp", "array"].includes(type.kind);
  const loaded = nullable(isText ? "String" : made, column.nullable);
  return { name, loaded, final, conversion: conversionFor(column, loaded, final) };
}

/** For a column that is made. `isKey`: it names rows, and so cannot be NULL. `isAdded`: rows that are there have no value in it. */
export function planForMade(
  column: Column,
  abilities: Abilities,
  { isKey, isAdded }: { isKey: boolean; isAdded: boolean },
): ColumnPlan {
  const { name, type } = column;
  // Rows without a value would get an empty array, and a sorting key should hold no Nullable, not even inside.
  const made = type.kind === "array" && (isKey || isAdded) ? "String" : madeType(type, abilities);
  const isArray = made.startsWith("Array(");
  const isNullable = column.nullable && !isKey;
  const final = nullable(made, isNullable && !isArray);
  const isFitted = made === "Date" || isArray || isOpen(type);
  const loaded = nullable(isFitted ? "String" : made, column.nullable);
  if (loaded === final && !isFitted) return { name, loaded, final, conversion: null };
  const conversion = conversionFor(column, loaded, final);
  const otherwise = isFitted ? nullable("String", isNullable) : null;
  return { name, loaded, final, conversion: { ...conversion, otherwise } };
}

function conversionFor({ name, type }: Column, loaded: string, final: string): Conversion {
  const to = nativeType(final);
  return type.kind === "array" && to.common.kind === "array"
    ? arrayConversion(name, type, to)
    : conversionOf(name, nativeType(loaded), to);
}

/** The same column, kept as the text that it was loaded as. */
export const keptAsText = (plan: ColumnPlan, text: string): ColumnPlan => ({
  ...plan,
  final: text,
  conversion: { ...conversionOf(plan.name, nativeType(plan.loaded), nativeType(text)), otherwise: null },
});

/** The definition of a table of these columns. */
export const definitionOf = (columns: readonly { name: string; type: string }[]): string =>
  columns.map(({ name, type }) => `${quoteName(name)} ${type}`).join(", ");
