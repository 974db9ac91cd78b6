/** Rules that staged rows must keep before anybody sees them. */
import type { Staged } from "../connect/connector.ts";
import type { Dialect } from "../connect/registry.ts";
import type { Check } from "../definition.ts";
import { NotRunnable } from "./not-runnable.ts";

/** Why rows are not published. */
export class CheckFailed extends NotRunnable {
  override readonly name = "CheckFailed";
}

const literal = (value: string | number): string =>
  typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;

/** A question whose answer is the number of rows that break a rule, and the rule's name. */
function questions(
  check: Check,
  table: string,
  { quote, asFraction }: Dialect,
): { name: string; sql: string }[] {
  const count = (condition: string) => `select count(*) from ${table} where ${condition}`;
  switch (check.type) {
    case "not_null":
      return check.columns.map((column) => ({
        name: `not_null ${column}`,
        sql: count(`${quote(column)} is null`),
      }));
    case "unique": {
      const columns = check.columns.map(quote).join(", ");
      const sql = `select count(*) from (select 1 as n from ${table} group by ${columns} having count(*) > 1) as repeated`;
      return [{ name: `unique ${check.columns.join(", ")}`, sql }];
    }
    case "accepted_range": {
      const column = quote(check.column);
      const { min, max } = check;
      const isFraction = [min, max].some((bound) => typeof bound === "number" && !Number.isInteger(bound));
      const value = isFraction && asFraction ? asFraction(column) : column;
      const outside = [
        ...(min === undefined ? [] : [`${value} < ${literal(min)}`]),
        ...(max === undefined ? [] : [`${value} > ${literal(max)}`]),
      ];
      return outside.length === 0
        ? []
        : [{ name: `accepted_range ${check.column}`, sql: count(outside.join(" or ")) }];
    }
    case "row_count_min":
      return [
        {
          name: `row_count_min ${check.value}`,
          sql: `select case when count(*) >= ${check.value} then 0 else 1 end from ${table}`,
        },
      ];
    case "sql": {
      const query = check.query.replace(/;\s*$/, "").replace(/\bstaged\b/g, () => table);
      return [{ name: check.name ?? "sql", sql: `select count(*) from (${query}) as broken` }];
    }
  }
}

/** Asks all questions. Throws `CheckFailed`, with every rule that is broken. */
export async function runChecks(
  staged: Staged,
  checks: readonly Check[],
  dialect: Dialect,
  log: (message: string) => void,
): Promise<void> {
  const broken: string[] = [];
  for (const { name, sql } of checks.flatMap((check) => questions(check, staged.table, dialect))) {
    const rows = Number(await staged.ask(sql));
    log(`check ${name}: ${rows === 0 ? "passed" : `broken by ${rows}`}`);
    if (rows !== 0) broken.push(`${name} (${rows})`);
  }
  if (broken.length > 0) throw new CheckFailed(`data-quality checks failed: ${broken.join("; ")}`);
}
