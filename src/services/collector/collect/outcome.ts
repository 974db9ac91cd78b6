import type { FileStatus } from "../../../platform/linux/status.ts";
import type { JournalEntry } from "./journal.ts";
import type { TemporaryFile } from "./temporaries.ts";

/** A row that is finished as far as this thread is concerned. */
export interface Settled {
  kind: "settled";
  entry: JournalEntry;
}

/** A row whose copy is complete under a temporary name and waits for its final one. */
export interface Prepared {
  kind: "prepared";
  entry: JournalEntry;
  /** The file; or the name of a symlink in the work directory. */
  temporary: TemporaryFile | string;
  /** Of the copy itself. */
  status: FileStatus;
  /** What a symlink holds. */
  link?: Buffer;
}

export type Outcome = Settled | Prepared;

/** What a batch of rows comes to. */
export interface Counts {
  /** Files and symlinks that are in the target now. */
  processed: number;
  failed: number;
  /** Special files, which are not among those to process. */
  skipped: number;
  /** Of the processed files. */
  bytes: number;
}

/** Nothing counted yet. */
export function noCounts(): Counts {
  return { processed: 0, failed: 0, skipped: 0, bytes: 0 };
}

/** Adds one entry. Directories do not count, except one that could not be read: its content is missing. */
export function countEntry(counts: Counts, { type, status, size, sha256 }: JournalEntry): void {
  if (status === "skipped") counts.skipped++;
  else if (status === "failed") counts.failed++;
  else if (type !== "directory") {
    counts.processed++;
    if (sha256 !== undefined) counts.bytes += size;
  }
}

/** Adds the counts of a batch to a sum. */
export function addCounts(sum: Counts, more: Counts): void {
  sum.processed += more.processed;
  sum.failed += more.failed;
  sum.skipped += more.skipped;
  sum.bytes += more.bytes;
}
