/** Decimals that come as text. ClickHouse's own reading of them rounds or fails, by version; so their digits are counted before. */
import type { NativeType } from "./native-types.ts";
import { literal } from "./sql.ts";

export const isDecimal = ({ base }: NativeType): boolean => base.startsWith("Decimal");

/** A regular expression: the numbers that a decimal of these many digits holds exactly. Zeros at the end of a fraction do not count. */
export function decimalShape({ common }: NativeType): string {
  if (common.kind !== "decimal" || common.precision === null) throw new Error("not a decimal's type");
  const before = common.precision - common.scale;
  const whole = before > 0 ? `(?:0|[1-9][0-9]{0,${before - 1}})` : "0";
  return `-?${whole}(?:[.][0-9]{0,${common.scale}}0*)?`;
}

/** SQL: a text as a decimal, which is 0 where the text is none that it holds; and whether it is held. */
export function decimalOf(text: string, to: NativeType): { value: string; isHeld: string } {
  const known = `ifNull(${text}, '')`;
  const held = (of: string) => `match(${of}, ${literal(`^${decimalShape(to)}$`)})`;
  return { value: `CAST(if(${held(known)}, ${known}, '0') AS ${to.base})`, isHeld: held(text) };
}
