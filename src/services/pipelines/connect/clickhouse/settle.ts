/** What the loaded rows decide about the columns that they make, and whether they fit those that are there. */
import { ConnectorError } from "../connector.ts";
import { ask } from "./catalogue.ts";
import { type ColumnPlan, keptAsText } from "./columns.ts";
import { quoteTable } from "./sql.ts";
import type { Staging } from "./staging.ts";

/** The plans, with text for columns of our own that turn out to need it. Throws `ConnectorError` "refused" when a value would be lost. */
export async function settled(staging: Staging, plans: readonly ColumnPlan[]): Promise<ColumnPlan[]> {
  const lost = await lossesOf(staging, plans);
  const changed = plans.map((plan, index) =>
    lost[index] !== "0" && plan.conversion?.otherwise ? keptAsText(plan, plan.conversion.otherwise) : plan,
  );
  const isChanged = changed.some((plan, index) => plan !== plans[index]);
  const remaining = isChanged ? await lossesOf(staging, changed) : lost;
  const first = changed.findIndex((_, index) => remaining[index] !== "0");
  const plan = changed[first];
  if (plan)
    throw new ConnectorError(
      "refused",
      `Column ${plan.name}: ${remaining[first]} values have no place in ${plan.final}${withoutNull(plan)}`,
    );
  return changed;
}

const withoutNull = ({ loaded, final }: ColumnPlan): string =>
  loaded.startsWith("Nullable(") && !final.startsWith("Nullable(") ? ", which has no NULL" : "";

/** How many values each column would lose. Throws `ConnectorError`. */
async function lossesOf(
  { http, tables, signal }: Staging,
  plans: readonly ColumnPlan[],
): Promise<(string | null)[]> {
  const counts = plans.map(({ conversion }) => `countIf(${conversion?.isLost ?? "0"})`);
  const sql = `SELECT ${counts.join(", ")} FROM ${quoteTable(tables.loaded)}`;
  return (await ask(http, sql, { signal }))[0] ?? [];
}
