import { closeQuietly, openAt, truncate } from "../../../platform/linux/descriptors.ts";
import { type FileStatus, sameFile, statusIfPresent, statusOf } from "../../../platform/linux/status.ts";
import { type CopiedContent, copyContent } from "./content.ts";
import { type CopySetting, TargetFailure } from "./copy-setting.ts";
import { entryFor, failed } from "./entries.ts";
import { hashFile } from "./hash.ts";
import { isIdenticalFile, readingFlags } from "./identical.ts";
import type { JournalEntry } from "./journal.ts";
import { creationMode, keepMetadata } from "./metadata.ts";
import { splitPath } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { isOwn } from "./placing.ts";
import type { PlanRow } from "./plan-row.ts";
import { targetPath } from "./roots.ts";
import type { TemporaryFile } from "./temporaries.ts";

const attempts = 3;

/** Copies one regular file into a temporary one, or finds that it need not or cannot be. Throws a SystemError. */
export function prepareFile(row: PlanRow, setting: CopySetting): Outcome {
  const root = setting.sources.root(row.source);
  const { parent, name } = splitPath(row.path);
  const source = openAt(setting.sources.directory(row.source, parent), name, readingFlags);
  try {
    const status = statusOf(source);
    const entry = entryFor(row, root, status);
    if (status.type !== "file") return failed(entry, "It is no longer a regular file");
    return findPresent(row, source, status, entry, setting) ?? copy(row, source, status, entry, setting);
  } finally {
    closeQuietly(source);
  }
}

/** Settles a file that the target already holds under its planned name. */
function findPresent(
  row: PlanRow,
  source: number,
  status: FileStatus,
  entry: JournalEntry,
  { target, sources, context, own, acceptsPresent }: CopySetting,
): Outcome | undefined {
  const { parent, name } = splitPath(targetPath(sources.root(row.source), row.path));
  const directory = target.directory(parent);
  if (directory.fresh) return undefined;
  const found = statusIfPresent(directory.descriptor, name);
  if (found === undefined || isOwn(found, own.get(row.row) ?? [])) return undefined;
  const isSource = sameFile(found, status);
  if (!isSource && !acceptsPresent) return undefined;
  let sha256: string | undefined;
  const hashOnce = () => {
    sha256 ??= hashFile(source, status, context);
    return sha256;
  };
  const content = { size: status.size, sha256: hashOnce };
  if (!isSource && !isIdenticalFile(directory.descriptor, name, found, content, context)) return undefined;
  const present = { ...entry, status: "present" as const, sha256: hashOnce() };
  if (!isSource) return { kind: "settled", entry: present };
  return {
    kind: "settled",
    entry: { ...present, keepSource: true, note: "the target is the source itself" },
  };
}

function copy(
  row: PlanRow,
  source: number,
  opened: FileStatus,
  entry: JournalEntry,
  setting: CopySetting,
): Outcome {
  const temporary = create(row, opened, setting);
  try {
    const { content, status, stable } = copyStable(source, temporary, opened, setting);
    const done = { ...entry, ...entryTimes(status), size: content.size, sha256: content.sha256 };
    if (!stable && setting.moving) {
      return discarded(temporary, failed(done, "It changed while it was read"), setting);
    }
    const note = [
      stable ? undefined : "it changed while it was read: copied as of its opening",
      keepMetadata(source, temporary.descriptor, status, setting.temporaries.defaults),
    ].filter((part) => part !== undefined);
    const written = statusOf(temporary.descriptor);
    if (setting.moving && !holds(temporary, written, content, setting)) {
      return discarded(temporary, failed(done, "What was written differs from what was read"), setting);
    }
    if (note.length > 0) done.note = note.join("; ");
    return { kind: "prepared", entry: done, temporary, status: written };
  } catch (error) {
    setting.temporaries.discard(temporary);
    throw error;
  }
}

function create(row: PlanRow, status: FileStatus, { temporaries }: CopySetting): TemporaryFile {
  try {
    return temporaries.create(row.row, creationMode(status));
  } catch (error) {
    throw error instanceof Error ? new TargetFailure(error.message) : error;
  }
}

interface CopyResult {
  content: CopiedContent;
  /** Of the source when the copied content was opened. */
  status: FileStatus;
  /** Whether the source was the same before and after. */
  stable: boolean;
}

function copyStable(
  source: number,
  { descriptor }: TemporaryFile,
  opened: FileStatus,
  { context }: CopySetting,
): CopyResult {
  let status = opened;
  for (let attempt = 1; ; attempt++) {
    const content = copyContent(source, descriptor, status, context);
    const after = statusOf(source);
    const whole = content.size === status.size || status.size === 0;
    const stable = whole && after.size === status.size && after.modifiedNs === status.modifiedNs;
    if (stable || attempt === attempts) return { content, status, stable };
    truncate(descriptor, 0);
    status = after;
  }
}

function entryTimes({ mode, modifiedNs }: FileStatus): Pick<JournalEntry, "mode" | "modifiedNs"> {
  return { mode, modifiedNs: modifiedNs.toString() };
}

/** Reads the copy back: size and SHA-256 are those of what was read. */
function holds(
  { descriptor }: TemporaryFile,
  written: FileStatus,
  { size, sha256 }: CopiedContent,
  { context }: CopySetting,
): boolean {
  return written.size === size && hashFile(descriptor, written, context) === sha256;
}

function discarded(temporary: TemporaryFile, outcome: Outcome, { temporaries }: CopySetting): Outcome {
  temporaries.discard(temporary);
  return outcome;
}
