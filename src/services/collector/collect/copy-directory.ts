import { closeQuietly, openAt } from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { statusOf } from "../../../platform/linux/status.ts";
import type { CopySetting } from "./copy-setting.ts";
import { entryFor } from "./entries.ts";
import type { JournalEntry } from "./journal.ts";
import { keepMetadata } from "./metadata.ts";
import type { PlanRow } from "./plan-row.ts";
import { targetPath } from "./roots.ts";

/**
 * Gives a directory in the target what its original has, once nothing is written into it any more. The modification
 * time is the one that the walk saw: removing sources changes it. The target itself belongs to the user and stays as
 * it is. Returns undefined when the target has no such directory. Throws a SystemError.
 */
export function finishDirectory(row: PlanRow, { sources, target }: CopySetting): JournalEntry | undefined {
  const root = sources.root(row.source);
  const planned = targetPath(root, row.path);
  if (planned.length === 0) return undefined;
  const directory = target.existing(planned);
  if (directory === undefined) return undefined;
  const source = openAt(sources.directory(row.source, row.path), ".", openFlag.directory);
  try {
    const status = { ...statusOf(source), modifiedNs: row.modifiedNs };
    const note = keepMetadata(source, directory.descriptor, status);
    const entry = { ...entryFor(row, root, status), target: directory.path.toString("latin1") };
    return note === undefined ? entry : { ...entry, note };
  } finally {
    closeQuietly(source);
  }
}
