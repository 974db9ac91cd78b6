import type { CollectOptions } from "./options.ts";
import { removeWorkDirectory } from "./work-directory.ts";

/** Ends a collection whose manifest is written: removes the work directory, and with it the way to resume. */
export async function finish(options: CollectOptions): Promise<void> {
  await removeWorkDirectory(options);
}

/** Ends a collection that was cancelled or has failed: temporary files go, files that are finished stay. */
export async function abandon(options: CollectOptions): Promise<void> {
  await removeWorkDirectory(options);
}
