import { renameNoReplace, unlink, unlinkIfPresent } from "../../../platform/linux/names.ts";
import { statusIfPresent } from "../../../platform/linux/status.ts";
import type { CopySetting } from "./copy-setting.ts";
import { isIdenticalFile, isIdenticalSymlink } from "./identical.ts";
import type { JournalEntry } from "./journal.ts";
import { joinPath, numberedName, splitPath } from "./names.ts";
import type { Prepared } from "./outcome.ts";
import { isOwn } from "./placing.ts";
import type { TargetDirectory } from "./target-tree.ts";

/** So many equal names are no coincidence any more. */
const numbersToTry = 100_000;

/**
 * Gives a copy its final name: the planned one; a numbered one where that is taken by something else; none where the
 * target already holds the same. A file of this collection's own interrupted run is replaced. Fails with a
 * SystemError, the copy then being discarded.
 */
export function placeCopy(prepared: Prepared, setting: CopySetting): JournalEntry {
  const { parent, name } = splitPath(Buffer.from(prepared.entry.target, "latin1"));
  const directory = setting.target.directory(parent);
  for (let number = 1; number < numbersToTry; ) {
    const candidate = numberedName(name, number);
    if (takeName(prepared, directory, candidate, setting))
      return placed(prepared, directory, candidate, number);
    const verdict = judge(prepared, directory, candidate, setting);
    if (verdict === "same") {
      discard(prepared, setting);
      return { ...prepared.entry, ...at(directory, candidate), status: "present" };
    }
    if (verdict === "itself") {
      discard(prepared, setting);
      return { ...prepared.entry, ...at(directory, candidate), status: "present", keepSource: true };
    }
    if (verdict === "different") number++;
  }
  throw new Error("No free name in the target");
}

function at(directory: TargetDirectory, name: Buffer): Pick<JournalEntry, "target"> {
  return { target: joinPath(directory.path, name).toString("latin1") };
}

function placed({ entry }: Prepared, directory: TargetDirectory, name: Buffer, number: number): JournalEntry {
  const done: JournalEntry = { ...entry, ...at(directory, name) };
  const notes = entry.note === undefined ? [] : [entry.note];
  if (number > 1 || done.target !== entry.target) notes.push("numbered: its name was taken in the target");
  if (notes.length > 0) done.note = notes.join("; ");
  return done;
}

function takeName(
  { temporary }: Prepared,
  directory: TargetDirectory,
  name: Buffer,
  { temporaries }: CopySetting,
): boolean {
  if (typeof temporary !== "string") return temporaries.place(temporary, directory.descriptor, name);
  return renameNoReplace(temporaries.directory, temporary, directory.descriptor, name);
}

/** What has the name: nothing any more (`free`), the same content, the source itself, or something different. */
function judge(
  { entry, link }: Prepared,
  { descriptor }: TargetDirectory,
  name: Buffer,
  { own, acceptsPresent, context }: CopySetting,
): "free" | "same" | "itself" | "different" {
  const found = statusIfPresent(descriptor, name);
  if (found === undefined) return "free";
  if (isOwn(found, own.get(entry.row) ?? [])) {
    unlink(descriptor, name);
    return "free";
  }
  if (found.inode.toString() === entry.inode && found.device.toString() === entry.device) return "itself";
  if (!acceptsPresent) return "different";
  const same =
    link === undefined
      ? isIdenticalFile(
          descriptor,
          name,
          found,
          { size: entry.size, sha256: () => entry.sha256 ?? "" },
          context,
        )
      : isIdenticalSymlink(descriptor, name, found, link);
  return same ? "same" : "different";
}

/** Gives up a copy that got no name. */
export function discard({ temporary }: Prepared, { temporaries }: CopySetting): void {
  if (typeof temporary === "string") unlinkIfPresent(temporaries.directory, temporary);
  else temporaries.discard(temporary);
}
