/** Columns taken for numbers whose text would not come back. */
import { type Database, identifier } from "../../run/duckdb/database.ts";
import type { FileColumn } from "./columns.ts";

const number = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\))$/;

export const isNumber = ({ type }: FileColumn): boolean => number.test(type);

/** Zeros at the front (articles, telephones) or a plus sign: by comparisons of bytes, which cost a small part of what a pattern does. */
const hasMark = (text: string): string =>
  [
    ["+", ","],
    ["00", "0:"],
    ["-00", "-0:"],
  ]
    .map(([from, before]) => `(${text} >= '${from}' AND ${text} < '${before}')`)
    .join(" OR ");

/** Digits that a floating-point number brings back for certain. */
const exactDigits = 15;

/** More digits than a float holds; they are counted where there are enough characters. */
function hasMoreDigits(text: string): string {
  const digits = `regexp_replace(regexp_replace(${text}, '[eE].*', ''), '^-?0*\\.?0*|\\.', '', 'g')`;
  return `CASE WHEN strlen(${text}) > ${exactDigits} THEN length(${digits}) > ${exactDigits} ELSE false END`;
}

/** Those of the numbers' columns that have such a value. `source` is what gives the columns as text, to be put after FROM; it is read once. */
export async function lossyColumns(
  database: Database,
  source: string,
  numbers: readonly FileColumn[],
): Promise<Set<string>> {
  if (numbers.length === 0) return new Set();
  const tests = numbers.map(({ name, type }, index) => {
    const text = `CAST(${identifier(name)} AS VARCHAR)`;
    const isFloat = type === "DOUBLE" || type === "FLOAT";
    return `bool_or(${hasMark(text)}${isFloat ? ` OR ${hasMoreDigits(text)}` : ""}) AS l${index}`;
  });
  const found = await database.ask(
    `SELECT to_json(result) FROM (SELECT ${tests.join(", ")} FROM ${source}) AS result`,
  );
  const answers = JSON.parse(found ?? "{}") as Record<string, boolean | null>;
  return new Set(numbers.filter((_, index) => answers[`l${index}`] === true).map(({ name }) => name));
}
