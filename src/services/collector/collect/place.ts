import { join } from "node:path";
import { closeQuietly, openPath } from "../../../platform/linux/descriptors.ts";
import { renameNoReplace } from "../../../platform/linux/names.ts";
import { at, openFlag } from "../../../platform/linux/numbers.ts";
import { numberedName } from "./names.ts";

/**
 * Gives a finished temporary file its name in a directory of the same file system, and never replaces anything: when
 * the name is taken it becomes `name-2.ext`, `name-3.ext`… Returns the path that it got. Fails with a SystemError.
 */
export function placeFile(temporaryPath: string, directory: string, wantedName: string): string {
  const descriptor = openPath(directory, openFlag.directory);
  try {
    for (let number = 1; ; number++) {
      const name = numberedName(Buffer.from(wantedName), number);
      if (renameNoReplace(at.currentDirectory, temporaryPath, descriptor, name)) {
        return join(directory, name.toString());
      }
    }
  } finally {
    closeQuietly(descriptor);
  }
}
