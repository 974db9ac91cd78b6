import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeExtendedAttribute } from "../../../platform/linux/attributes.ts";
import { closeQuietly, openPath } from "../../../platform/linux/descriptors.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import type { CollectOptions } from "./options.ts";

/** Where a collection keeps its plan, its journal and its temporary files: in the target, whose file system they share. */
export function workDirectory({ target, jobId }: Pick<CollectOptions, "target" | "jobId">): string {
  return join(target, `.quintet-${jobId}`);
}

/** Names of temporary files begin with this, of those that say what is about to be placed with `placing-`. */
export const temporaryPrefix = "temporary-";

/**
 * Makes the target and the work directory where they are missing, and removes temporary files of an earlier run.
 * Fails with an Error whose message reads well after "Collection failed: ".
 */
export async function openWorkDirectory(options: CollectOptions): Promise<string> {
  const work = workDirectory(options);
  await mkdir(options.target, { recursive: true });
  try {
    await mkdir(work, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    await removeTemporaries(work);
  }
  dropDefaultAcl(work);
  return work;
}

async function removeTemporaries(work: string): Promise<void> {
  const names = await readdir(work);
  const temporary = names.filter((name) => name.startsWith(temporaryPrefix));
  await Promise.all(temporary.map((name) => rm(join(work, name), { force: true })));
}

/** A default ACL inherited from the target would be handed on to every copy. */
function dropDefaultAcl(work: string): void {
  const descriptor = openPath(work, openFlag.directory | openFlag.noFollow);
  removeExtendedAttribute(descriptor, "system.posix_acl_default");
  closeQuietly(descriptor);
}

/** Removes the work directory with all that is in it; finished files lie elsewhere. */
export async function removeWorkDirectory(options: CollectOptions): Promise<void> {
  await rm(workDirectory(options), { recursive: true, force: true });
}
