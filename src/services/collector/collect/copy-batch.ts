import { endsAllWriting, errorCode, sentence } from "../../../platform/linux/errors.ts";
import { finishDirectory } from "./copy-directory.ts";
import { prepareFile } from "./copy-file.ts";
import { type CopySetting, TargetFailure } from "./copy-setting.ts";
import { prepareSymlink } from "./copy-symlink.ts";
import { entryOfRow, failed, skipped } from "./entries.ts";
import type { JournalEntry } from "./journal.ts";
import type { Outcome, Prepared } from "./outcome.ts";
import { discard, placeCopy } from "./place-copy.ts";
import type { PlacingLog } from "./placing.ts";
import type { PlanRow } from "./plan-row.ts";
import { targetPath } from "./roots.ts";
import { throwIfStopped } from "./stop-flag.ts";

/**
 * Copies the files of a batch under temporary names, writes down what they are, then gives them their names. What
 * fails for one file is its entry's reason. Throws a TargetFailure when nothing more can be written, or Stopped; what
 * was not placed by then leaves nothing behind.
 */
export function copyBatch(rows: Iterable<PlanRow>, log: PlacingLog, setting: CopySetting): JournalEntry[] {
  const outcomes: Outcome[] = [];
  try {
    for (const row of rows) {
      throwIfStopped(setting.context.stop);
      const outcome = prepare(row, setting);
      if (outcome !== undefined) outcomes.push(outcome);
    }
    const prepared = outcomes.filter(isPrepared);
    log.write(
      prepared.map(({ entry, status }) => ({
        row: entry.row,
        inode: status.inode,
        size: status.size,
        modifiedNs: status.modifiedNs,
      })),
    );
    const entries: JournalEntry[] = [];
    for (let outcome = outcomes.shift(); outcome !== undefined; outcome = outcomes.shift()) {
      entries.push(outcome.kind === "settled" ? outcome.entry : place(outcome, setting));
    }
    return entries;
  } catch (error) {
    for (const outcome of outcomes.filter(isPrepared)) discard(outcome, setting);
    throw error;
  }
}

function isPrepared(outcome: Outcome): outcome is Prepared {
  return outcome.kind === "prepared";
}

/** Undefined for a directory, which is only made here and finished when all its content has arrived. */
function prepare(row: PlanRow, setting: CopySetting): Outcome | undefined {
  const root = setting.sources.root(row.source);
  try {
    switch (row.type) {
      case "file":
        return prepareFile(row, setting);
      case "symlink":
        return prepareSymlink(row, setting);
      case "directory":
        if (setting.keepsEmpty) setting.target.directory(targetPath(root, row.path));
        return undefined;
      case "special":
        return skipped(entryOfRow(row, root), "It is a pipe, a socket or a device");
      case "unreadable":
        return failed({ ...entryOfRow(row, root), size: 0 }, sentence(row.size));
    }
  } catch (error) {
    return failed(entryOfRow(row, root), reasonOf(error));
  }
}

function place(prepared: Prepared, setting: CopySetting): JournalEntry {
  const { temporary } = prepared;
  let entry: JournalEntry;
  try {
    entry = placeCopy(prepared, setting);
  } catch (error) {
    discard(prepared, setting);
    return failed(prepared.entry, reasonOf(error)).entry;
  }
  if (typeof temporary === "string" || entry.status !== "copied") return entry;
  try {
    setting.temporaries.finish(temporary);
    return entry;
  } catch (error) {
    return failed(entry, reasonOf(error)).entry;
  }
}

/** The reason that an error is for one file; errors that concern all of them are thrown on. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || errorCode(error) === undefined) throw error;
  if (endsAllWriting(error)) throw new TargetFailure(error.message);
  return error.message;
}

/** Finishes the directories of a batch. A directory that cannot be finished is told, and does not count as failed. */
export function finishDirectories(rows: Iterable<PlanRow>, setting: CopySetting): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const row of rows) {
    throwIfStopped(setting.context.stop);
    try {
      const entry = finishDirectory(row, setting);
      if (entry !== undefined) entries.push(entry);
    } catch (error) {
      const entry = entryOfRow(row, setting.sources.root(row.source));
      entries.push({ ...entry, note: `attributes not kept: ${reasonOf(error)}` });
    }
  }
  return entries;
}
