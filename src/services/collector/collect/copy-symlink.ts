import { makeSymlink, readSymlink, unlink } from "../../../platform/linux/names.ts";
import { statusAt, statusIfPresent } from "../../../platform/linux/status.ts";
import type { CopySetting } from "./copy-setting.ts";
import { entryFor, failed } from "./entries.ts";
import { isIdenticalSymlink } from "./identical.ts";
import { keepSymlinkMetadata } from "./metadata.ts";
import { splitPath } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { isOwn } from "./placing.ts";
import type { PlanRow } from "./plan-row.ts";
import { targetPath } from "./roots.ts";

/** Copies one symlink as it is, whether or not what it points to exists. Throws a SystemError. */
export function prepareSymlink(row: PlanRow, setting: CopySetting): Outcome {
  const { sources, target, temporaries, own, acceptsPresent } = setting;
  const { parent, name } = splitPath(row.path);
  const source = sources.directory(row.source, parent);
  const status = statusAt(source, name);
  const entry = entryFor(row, sources.root(row.source), status);
  if (status.type !== "symlink") return failed(entry, "It is no longer a symbolic link");
  const link = readSymlink(source, name);

  const planned = splitPath(targetPath(sources.root(row.source), row.path));
  const directory = target.directory(planned.parent).descriptor;
  const found = statusIfPresent(directory, planned.name);
  if (found !== undefined && acceptsPresent && !isOwn(found, own.get(row.row) ?? [])) {
    if (isIdenticalSymlink(directory, planned.name, found, link)) {
      return { kind: "settled", entry: { ...entry, status: "present" } };
    }
  }

  const temporary = temporaries.nameFor(row.row);
  makeSymlink(link, temporaries.directory, temporary);
  try {
    keepSymlinkMetadata(temporaries.directory, temporary, status);
    return { kind: "prepared", entry, temporary, status: statusAt(temporaries.directory, temporary), link };
  } catch (error) {
    unlink(temporaries.directory, temporary);
    throw error;
  }
}
