/**
 * How an array's JSON, which there are no functions for in 18.16, becomes an array: a regular expression looks at its form, its text is rewritten as ClickHouse's own text of an
 * array, and ClickHouse reads that. What it would read as something else is found by writing the result as JSON again.
 */
import { ConnectorError } from "../connector.ts";
import type { CommonType } from "../types.ts";
import { type Conversion, momentOf } from "./conversions.ts";
import { decimalShape, isDecimal } from "./decimals.ts";
import { type NativeType, nativeType } from "./native-types.ts";
import { literal, quoteName } from "./sql.ts";

const innermost = (type: CommonType): CommonType => (type.kind === "array" ? innermost(type.of) : type);

const elementOf = ({ base }: NativeType): NativeType => nativeType(base.slice("Array(".length, -1));

/** Elements of an array's innermost arrays, and how deep these lie. */
function leafOf(array: NativeType): { leaf: NativeType; depth: number } {
  let [leaf, depth] = [elementOf(array), 1];
  for (; leaf.common.kind === "array"; depth++) leaf = elementOf(leaf);
  return { leaf, depth };
}

const isNumber = ({ kind }: CommonType): boolean => /^(boolean|int|float|decimal)/.test(kind);

/** How a column that holds JSON, or NULL, becomes one of arrays. NULL is lost in it. Throws `ConnectorError` "unsupported" where numbers would become something else, or something else numbers. */
export function arrayConversion(name: string, from: CommonType, to: NativeType): Conversion {
  const { leaf, depth } = leafOf(to);
  const source = innermost(from);
  const isQuoted = !isNumber(source);
  if (isQuoted ? isNumber(leaf.common) : !isNumber(leaf.common) && leaf.common.kind !== "text")
    throw new ConnectorError(
      "unsupported",
      `Column ${name}: arrays of ${source.kind} have no place in ${to.base}`,
    );
  const known = `ifNull(${quoteName(name)}, '')`;
  const text = source.kind === "boolean" ? replaced(known, ["true", "1"], ["false", "0"]) : known;
  const isFormed = `match(${text}, ${literal(`^${shapeOf(to, elementShape(leaf, isQuoted))}$`)})`;
  const own = isQuoted
    ? fromStrings(text)
    : leaf.common.kind === "text"
      ? textsOfNumbers(text)
      : fromNumbers(text);
  const value = arrayOf(`if(${isFormed}, ${own}, '[]')`, to, leaf, depth);
  const isChecked = leaf.common.kind !== "text" && !isDecimal(leaf) && !areBothFloats(source, leaf.common);
  const isLost = isChecked ? `NOT ${isFormed} OR ${to.canonical(value)} != ${text}` : `NOT ${isFormed}`;
  return { value, isLost, otherwise: null };
}

/** Floating point numbers are as ClickHouse reads them; see `stage.ts`. */
const areBothFloats = (a: CommonType, b: CommonType): boolean =>
  a.kind.startsWith("float") && b.kind.startsWith("float");

/** SQL: ClickHouse's text of an array as the array. Days and instants it would read carelessly, and in a zone of its own: they are text first. */
function arrayOf(text: string, to: NativeType, leaf: NativeType, depth: number): string {
  const moment = momentOf("x1", leaf);
  if (moment === null) return `CAST(${text} AS ${to.base})`;
  const texts = `CAST(${text} AS ${"Array(".repeat(depth)}Nullable(String)${")".repeat(depth)})`;
  return mapped(texts, depth, leaf.nullable ? moment : `assumeNotNull(${moment})`);
}

/** SQL: every innermost element, `x1`, replaced. */
const mapped = (array: string, depth: number, element: string): string =>
  `arrayMap(x${depth} -> ${depth === 1 ? element : mapped(`x${depth}`, depth - 1, element)}, ${array})`;

/** A regular expression: JSON of arrays as deep as this one, of elements of a shape. */
function shapeOf(array: NativeType, shape: string): string {
  const of = elementOf(array);
  const item = of.common.kind === "array" ? shapeOf(of, shape) : `(?:${shape}${of.nullable ? "|null" : ""})`;
  return `\\[(?:${item}(?:,${item})*)?\\]`;
}

const number = `-?[0-9][-+.0-9eE]*|"NaN"|"-?Infinity"`;
/** Of the escapes `\u…` only those of ASCII: no connector writes others. */
const string = `"(?:[^"\\\\\\x00-\\x1f]|\\\\["\\\\/bfnrt]|\\\\u00[0-7][0-9a-fA-F])*"`;

/** A regular expression: what ClickHouse reads as an element of this type without complaint. */
function elementShape(leaf: NativeType, isQuoted: boolean): string {
  if (isDecimal(leaf)) return decimalShape(leaf);
  if (leaf.base.startsWith("UInt")) return "[0-9]+";
  if (/^(Int|Bool)/.test(leaf.base)) return "-?[0-9]+";
  if (leaf.base === "UUID") return `"[0-9a-f-]{36}"`;
  return isQuoted ? string : number;
}

/** SQL: every occurrence of texts replaced, one after the other. */
const replaced = (text: string, ...pairs: (readonly [string, string])[]): string =>
  pairs.reduce((sql, [what, by]) => `replaceAll(${sql}, ${literal(what)}, ${literal(by)})`, text);

/** Without a sign `NaN` would be taken for the beginning of NULL. */
const fromNumbers = (text: string): string => replaced(text, ['"', ""], ["NaN", "-nan"]);

const textsOfNumbers = (text: string): string =>
  replaced(`replaceRegexpAll(${replaced(text, ['"', ""])}, '[^\\\\[\\\\],]+', '\\'\\\\0\\'')`, [
    "'null'",
    "NULL",
  ]);

/** JSON has no control characters, which therefore can stand for its escapes while quotes change. */
const fromStrings = (text: string): string =>
  replaced(
    text,
    ["\\\\", "\b"],
    ['\\"', "\f"],
    ["'", "\\'"],
    ['"', "'"],
    ["\\u00", "\\x"],
    ["\f", '"'],
    ["\b", "\\\\"],
  );
