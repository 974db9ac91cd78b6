import type { FileStatus } from "../../../platform/linux/status.ts";
import type { JournalEntry } from "./journal.ts";
import type { Settled } from "./outcome.ts";
import type { PlanRow } from "./plan-row.ts";
import { type SourceRoot, targetPath } from "./roots.ts";

/** The journal entry of a row that is being copied. */
export function entryFor(row: PlanRow, root: SourceRoot, status: FileStatus): JournalEntry {
  return {
    ...entryOfRow(row, root),
    type: status.type,
    size: status.type === "file" ? status.size : 0,
    mode: status.mode,
    modifiedNs: status.modifiedNs.toString(),
    device: status.device.toString(),
    inode: status.inode.toString(),
  };
}

/** The journal entry of a row of which no more is known than the plan says. */
export function entryOfRow(row: PlanRow, root: SourceRoot): JournalEntry {
  return {
    row: row.row,
    source: row.source,
    path: row.path.toString("latin1"),
    target: targetPath(root, row.path).toString("latin1"),
    type: row.type === "unreadable" ? "directory" : row.type,
    status: "copied",
    size: row.type === "file" ? row.size : 0,
    mode: 0,
    modifiedNs: row.modifiedNs.toString(),
    device: "0",
    inode: "0",
  };
}

/** The end of a row that could not be collected. */
export function failed(entry: JournalEntry, reason: string): Settled {
  return { kind: "settled", entry: { ...entry, status: "failed", reason } };
}

/** The end of a special file. */
export function skipped(entry: JournalEntry, reason: string): Settled {
  return { kind: "settled", entry: { ...entry, status: "skipped", reason } };
}
