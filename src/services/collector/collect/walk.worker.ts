import { BufferedFile } from "./buffered-file.ts";
import { compileFilter } from "./filter.ts";
import type { CollectOptions } from "./options.ts";
import type { PlanTotals } from "./plan.ts";
import { encodeRow } from "./plan-row.ts";
import type { SourceRoot } from "./roots.ts";
import { type StopFlag, throwIfStopped } from "./stop-flag.ts";
import { serveThread } from "./thread.ts";
import { type Found, walkSource } from "./walk.ts";

/** What to walk, and where the rows go; without `file` they are only counted. */
export interface WalkRequest {
  kind: "walk";
  options: CollectOptions;
  roots: SourceRoot[];
  /** `device:inode` of directories left out. */
  excluded: string[];
  file: string | null;
  /** Milliseconds after which the walk ends incomplete; null for no bound. */
  deadlineMs: number | null;
  stop: StopFlag;
}

/** What was found. */
export interface WalkResult {
  kind: "walked";
  totals: PlanTotals;
  complete: boolean;
  warnings: string[];
}

declare const self: Worker;

/** The walk needs no setting up, and keeps nothing open between requests. */
serveThread<null, WalkRequest, WalkResult>(self, () => ({ run: walk, close: () => undefined }));

class OutOfTime extends Error {}

const warningLimit = 100;

function walk(request: WalkRequest): WalkResult {
  const file = request.file === null ? null : new BufferedFile(request.file);
  const totals: PlanTotals = { files: 0, bytes: 0, occupied: 0, rows: 0 };
  const warnings: string[] = [];
  const limits = {
    excluded: new Set(request.excluded),
    filter: compileFilter(request.options),
    step: stepper(request),
    warn: (message: string) => {
      if (warnings.length < warningLimit) warnings.push(message);
    },
  };
  let complete = true;
  try {
    for (const [source, root] of request.roots.entries()) {
      for (const found of walkSource(root, limits)) {
        file?.write(encodeRow({ ...found, source, row: totals.rows }));
        count(totals, found);
      }
    }
  } catch (error) {
    if (!(error instanceof OutOfTime)) throw error;
    complete = false;
  } finally {
    file?.close();
  }
  return { kind: "walked", totals, complete, warnings };
}

function count(totals: PlanTotals, { type, size, occupied }: Found): void {
  totals.rows++;
  if (type === "directory" || type === "special") return;
  totals.files++;
  if (type !== "file") return;
  totals.bytes += size;
  totals.occupied += occupied;
}

function stepper({ stop, deadlineMs }: WalkRequest): () => void {
  const end = deadlineMs === null ? Number.POSITIVE_INFINITY : performance.now() + deadlineMs;
  return () => {
    throwIfStopped(stop);
    if (performance.now() > end) throw new OutOfTime();
  };
}
