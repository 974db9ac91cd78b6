import { errorCode } from "../../../platform/linux/errors.ts";
import { removeDirectory, unlink } from "../../../platform/linux/names.ts";
import { type FileStatus, statusIfPresent } from "../../../platform/linux/status.ts";
import type { JournalEntry } from "./journal.ts";
import { splitPath } from "./names.ts";
import type { SourceTree } from "./source-tree.ts";

/** A source that had to stay, and why. */
export interface KeptSource {
  row: number;
  reason: string;
}

/** Whether an entry's source may go: it is in the target, and is not the target itself. */
export function isRemovable({ status, type, keepSource }: JournalEntry): boolean {
  if (type === "directory" || keepSource === true) return false;
  return status === "copied" || status === "present";
}

/**
 * Removes the source of an entry that is safe in the target, provided that the name still stands for exactly what was
 * copied. Returns why it stays, if it does; a name that is already gone is fine.
 */
export function removeSource(entry: JournalEntry, sources: SourceTree): KeptSource | undefined {
  try {
    const { parent, name } = splitPath(Buffer.from(entry.path, "latin1"));
    const directory = sources.directory(entry.source, parent);
    const found = statusIfPresent(directory, name);
    if (found === undefined) return undefined;
    if (!isUnchanged(found, entry))
      return { row: entry.row, reason: "the source changed after it was copied" };
    unlink(directory, name);
    return undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (!(error instanceof Error)) throw error;
    return { row: entry.row, reason: error.message };
  }
}

function isUnchanged(found: FileStatus, entry: JournalEntry): boolean {
  return (
    found.inode.toString() === entry.inode &&
    found.device.toString() === entry.device &&
    found.modifiedNs.toString() === entry.modifiedNs &&
    found.type === entry.type &&
    (entry.type !== "file" || found.size === entry.size)
  );
}

/**
 * Directories of the sources in which something was removed or which were collected themselves. Keys are
 * `source:path` with the path in latin1.
 */
export class EmptiedDirectories {
  readonly #paths = new Set<string>();

  /** Notes the directory of a removed file, or with `itself` a collected directory. */
  add({ source, path }: Pick<JournalEntry, "source" | "path">, itself: boolean): void {
    const slash = path.lastIndexOf("/");
    const directory = itself ? path : path.slice(0, Math.max(slash, 0));
    if (directory !== "") this.#paths.add(`${source}:${directory}`);
  }

  /** Removes those that are empty, the deepest first, and with them those above that this leaves empty; never a source. */
  remove(sources: SourceTree): void {
    for (const path of [...this.#paths]) this.#addParents(path);
    const deepestFirst = [...this.#paths].sort((one, other) => other.length - one.length);
    for (const key of deepestFirst) removeIfEmpty(key, sources);
  }

  #addParents(key: string): void {
    const colon = key.indexOf(":");
    for (let end = key.lastIndexOf("/"); end > colon; end = key.lastIndexOf("/", end - 1)) {
      const parent = key.slice(0, end);
      if (this.#paths.has(parent)) return;
      this.#paths.add(parent);
    }
  }
}

const stays: ReadonlySet<string | undefined> = new Set([
  "ENOTEMPTY",
  "EEXIST",
  "ENOENT",
  "EBUSY",
  "EACCES",
  "EPERM",
  "ENOTDIR",
  "ELOOP",
  "EROFS",
]);

function removeIfEmpty(key: string, sources: SourceTree): void {
  const colon = key.indexOf(":");
  const { parent, name } = splitPath(Buffer.from(key.slice(colon + 1), "latin1"));
  try {
    removeDirectory(sources.directory(Number(key.slice(0, colon)), parent), name);
  } catch (error) {
    if (!stays.has(errorCode(error))) throw error;
  }
}
