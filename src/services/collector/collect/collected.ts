import { errorCode } from "../../../platform/linux/errors.ts";
import type { FileType } from "../../../platform/linux/status.ts";
import { type JournalEntry, journalFiles, readJournal } from "./journal.ts";
import type { CollectOptions } from "./options.ts";
import type { Counts } from "./outcome.ts";
import type { PlanSummary } from "./plan.ts";
import { readKept, wereSourcesRemoved } from "./recovery.ts";
import { type SourceRoot, sourcePath } from "./roots.ts";

/** What became of one file, symlink, directory or special file. */
export interface FileRecord {
  /** Absolute, raw bytes. */
  source: Buffer;
  /** Relative to the target, raw bytes. */
  target: Buffer;
  type: FileType;
  /** `present`: the target held the identical file already. `moved`: copied, and its source removed. */
  status: "copied" | "moved" | "present" | "failed" | "skipped";
  /** Bytes. */
  size: number;
  /** Of the bytes in the target; files only. */
  sha256?: string;
  /** Permission bits. */
  mode: number;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
  /** Why it failed or was skipped. */
  reason?: string;
  /** What else is worth knowing. */
  note?: string;
}

/** A finished collection. `processedFiles + failedFiles = totalFiles`. */
export interface Collected {
  totalFiles: number;
  processedFiles: number;
  failedFiles: number;
  /** Special files only. */
  skippedFiles: number;
  /** Of the processed files. */
  bytes: number;
  warnings: string[];
  /** Every file, some hundreds at a time, from the journal: usable until `finish` or `abandon`. */
  records(): AsyncIterable<FileRecord[]>;
}

/** The result of a collection whose journal lies in `work`. */
export function collectedOf(
  options: CollectOptions,
  work: string,
  plan: PlanSummary,
  counts: Counts,
): Collected {
  return {
    totalFiles: counts.processed + counts.failed,
    processedFiles: counts.processed,
    failedFiles: counts.failed,
    skippedFiles: counts.skipped,
    bytes: counts.bytes,
    warnings: plan.warnings,
    records: () => readRecords(options, work, plan.roots),
  };
}

async function* readRecords(
  { mode }: CollectOptions,
  work: string,
  roots: readonly SourceRoot[],
): AsyncGenerator<FileRecord[]> {
  const kept = await readKept(work);
  const removed = mode === "move_remove" || (mode === "move" && (await wereSourcesRemoved(work)));
  const toRecord = (entry: JournalEntry): FileRecord => {
    const reason = kept.get(entry.row);
    const record = recordOf(entry, roots[entry.source]);
    if (reason !== undefined)
      return { ...record, note: [record.note, `source kept: ${reason}`].filter(Boolean).join("; ") };
    const moved = removed && entry.status === "copied" && entry.type !== "directory";
    return moved ? { ...record, status: "moved" } : record;
  };
  try {
    for await (const { entries } of readJournal(journalFiles(work).entries)) yield entries.map(toRecord);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

function recordOf(entry: JournalEntry, root: SourceRoot | undefined): FileRecord {
  if (root === undefined) throw new Error("the journal of this collection is damaged");
  const { type, status, size, mode, sha256, reason, note } = entry;
  return {
    source: sourcePath(root, Buffer.from(entry.path, "latin1")),
    target: Buffer.from(entry.target, "latin1"),
    type,
    status,
    size,
    mode,
    mtimeNs: BigInt(entry.modifiedNs),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(reason === undefined ? {} : { reason }),
    ...(note === undefined ? {} : { note }),
  };
}
