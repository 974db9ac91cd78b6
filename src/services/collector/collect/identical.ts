import { closeQuietly, openAt } from "../../../platform/linux/descriptors.ts";
import { readSymlink } from "../../../platform/linux/names.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { type FileStatus, statusOf } from "../../../platform/linux/status.ts";
import { type CopyContext, hashFile } from "./hash.ts";

/** Never waits for a writer at a FIFO, never follows a symlink. */
export const readingFlags = openFlag.readOnly | openFlag.noFollow | openFlag.nonBlocking;

/** Whether a name in a directory is a regular file of this size and SHA-256. An unreadable one is not. */
export function isIdenticalFile(
  directory: number,
  name: Buffer,
  found: FileStatus,
  content: { size: number; sha256: () => string },
  context: CopyContext,
): boolean {
  if (found.type !== "file" || found.size !== content.size) return false;
  const descriptor = openAt(directory, name, readingFlags);
  try {
    const status = statusOf(descriptor);
    if (status.type !== "file" || status.size !== content.size) return false;
    return hashFile(descriptor, status, context) === content.sha256();
  } finally {
    closeQuietly(descriptor);
  }
}

/** Whether a name in a directory is a symlink that holds the same bytes. */
export function isIdenticalSymlink(
  directory: number,
  name: Buffer,
  found: FileStatus,
  link: Buffer,
): boolean {
  return found.type === "symlink" && readSymlink(directory, name).equals(link);
}
