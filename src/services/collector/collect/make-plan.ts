import { open, rename } from "node:fs/promises";
import type { CollectOptions } from "./options.ts";
import { type PlanSummary, planFiles, readPlanSummary } from "./plan.ts";
import { resolveRoots } from "./roots.ts";
import { walkInThread } from "./walking.ts";

/** The plan of a collection: the one that an earlier run completed, or a new one from a walk over the sources. */
export async function makePlan(
  options: CollectOptions,
  work: string,
  signal: AbortSignal,
): Promise<PlanSummary> {
  const earlier = await readPlanSummary(work);
  if (earlier !== undefined) return earlier;
  const { roots, warnings } = await resolveRoots(options);
  const files = planFiles(work);
  const walked = await walkInThread(options, roots, { signal, file: files.rows, deadlineMs: null });
  const summary = { totals: walked.totals, roots, warnings: [...warnings, ...walked.warnings] };
  await writeWhole(files.summary, JSON.stringify(summary));
  return summary;
}

/** All of it or nothing, also after a power cut. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.partial`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
