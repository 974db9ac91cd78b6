/** `{{ name }}` in SQL: a value that is bound, never text that is spliced in. */
import { NotRunnable } from "./not-runnable.ts";

export type Value = string | number | boolean | null;

const reference = /\{\{\s*([A-Za-z_][\w.]*)\s*\}\}/g;

/** The names that a text refers to. */
export const namesIn = (sql: string): string[] => [
  ...new Set([...sql.matchAll(reference)].map(([, name = ""]) => name)),
];

/** A text with `$1`, `$2`… for its references, and their values. Throws `NotRunnable` that names what is missing or is no plain value. */
export function bound(sql: string, parameters: Record<string, unknown>): { sql: string; values: Value[] } {
  const names = namesIn(sql);
  const values = names.map((name): Value => {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (value === undefined) throw new NotRunnable(`the parameter ${name} is not given`);
    if (value !== null && !["string", "number", "boolean"].includes(typeof value))
      throw new NotRunnable(`the parameter ${name} is no plain value`);
    return value as Value;
  });
  return {
    sql: sql.replace(reference, (_, name: string) => `$${names.indexOf(name) + 1}`),
    values,
  };
}
