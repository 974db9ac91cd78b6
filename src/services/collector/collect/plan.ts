import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../platform/linux/errors.ts";
import { decodeRow, type PlanRow } from "./plan-row.ts";
import type { SourceRoot } from "./roots.ts";

/** What the walk counted. */
export interface PlanTotals {
  /** Files, symlinks and unreadable directories: everything that will be processed or fail. */
  files: number;
  /** Bytes of the files. */
  bytes: number;
  /** Bytes that the files occupy on disk: less where they are sparse. */
  occupied: number;
  rows: number;
}

/** A complete plan's summary, kept beside its rows; that it exists says that the plan is complete. */
export interface PlanSummary {
  totals: PlanTotals;
  roots: SourceRoot[];
  warnings: string[];
}

/** Where a work directory keeps its plan. */
export function planFiles(work: string): { rows: string; summary: string } {
  return { rows: join(work, "plan"), summary: join(work, "plan.json") };
}

/** The summary of a complete plan; undefined when there is none. */
export async function readPlanSummary(work: string): Promise<PlanSummary | undefined> {
  try {
    const summary: PlanSummary = JSON.parse(await readFile(planFiles(work).summary, "utf8"));
    return summary;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The rows of a plan in order, some hundreds at a time, whatever its size. */
export async function* readPlan(file: string): AsyncGenerator<PlanRow[]> {
  let rest = Buffer.alloc(0);
  const chunks: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: 65_536 });
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    const rows: PlanRow[] = [];
    let offset = 0;
    let decoded = decodeRow(bytes, offset);
    while (decoded !== undefined) {
      rows.push(decoded.row);
      offset = decoded.next;
      decoded = decodeRow(bytes, offset);
    }
    rest = bytes.subarray(offset);
    yield rows;
  }
  if (rest.length > 0) throw new Error("the plan of this collection is damaged");
}
