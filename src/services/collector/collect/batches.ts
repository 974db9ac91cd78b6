import type { CopyBatch } from "./copy.worker.ts";
import { planFiles, readPlan } from "./plan.ts";
import { encodeRow, type PlanRow } from "./plan-row.ts";
import type { Recovery } from "./recovery.ts";

const rowsPerBatch = 128;
const bytesPerBatch = 4 * 1_048_576;

/** The plan's rows that are not in the journal yet, in batches of one kind for the copying threads. */
export async function* planBatches(
  work: string,
  kind: CopyBatch["kind"],
  { isDone, own }: Recovery,
): AsyncGenerator<CopyBatch> {
  let rows: PlanRow[] = [];
  let bytes = 0;
  const batch = (): CopyBatch => ({
    kind,
    rows: Buffer.concat(rows.map(encodeRow)),
    own: rows.flatMap(({ row }) => own.get(row) ?? []),
  });
  for await (const part of readPlan(planFiles(work).rows)) {
    for (const row of part) {
      if (isDone(row.row) || (kind === "directories" && row.type !== "directory")) continue;
      rows.push(row);
      bytes += row.size;
      if (rows.length < rowsPerBatch && bytes < bytesPerBatch) continue;
      yield batch();
      rows = [];
      bytes = 0;
    }
  }
  if (rows.length > 0) yield batch();
}
