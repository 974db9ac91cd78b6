import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { append, closeQuietly, openPath } from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import type { FileStatus } from "../../../platform/linux/status.ts";

/**
 * Before a thread gives finished files their names it writes down which they are. Whoever resumes after a crash
 * between that and the journal thereby knows its own files, and does not number around them.
 */
export interface Placed {
  row: number;
  inode: bigint;
  /** Bytes. */
  size: number;
  modifiedNs: bigint;
}

const recordSize = 32;
const filePrefix = "placing-";

/** Writes down what one thread is about to place. */
export class PlacingLog {
  readonly #descriptor: number;

  /** Begins a new file in the work directory. Fails with a SystemError. */
  constructor(work: string) {
    const path = join(work, filePrefix + crypto.randomUUID());
    const flags = openFlag.writeOnly | openFlag.create | openFlag.exclusive | openFlag.append;
    this.#descriptor = openPath(path, flags, 0o600);
  }

  close(): void {
    closeQuietly(this.#descriptor);
  }

  write(files: readonly Placed[]): void {
    if (files.length === 0) return;
    const bytes = Buffer.alloc(files.length * recordSize);
    for (const [index, { row, inode, size, modifiedNs }] of files.entries()) {
      const offset = index * recordSize;
      bytes.writeUInt32LE(row, offset);
      bytes.writeBigUInt64LE(inode, offset + 8);
      bytes.writeDoubleLE(size, offset + 16);
      bytes.writeBigInt64LE(modifiedNs, offset + 24);
    }
    append(this.#descriptor, bytes);
  }
}

/** Whether a file found under a wanted name is one that this collection placed there itself. */
export function isOwn(found: FileStatus, own: readonly Placed[]): boolean {
  return own.some(
    ({ inode, size, modifiedNs }) =>
      inode === found.inode && size === found.size && modifiedNs === found.modifiedNs,
  );
}

/** What earlier runs placed, of those rows that `concerns` accepts: the few that were not journalled. */
export async function readPlaced(work: string, concerns: (row: number) => boolean): Promise<Placed[]> {
  const names = (await readdir(work)).filter((name) => name.startsWith(filePrefix));
  const found: Placed[] = [];
  for (const name of names) {
    const bytes = await readFile(join(work, name));
    for (let offset = 0; offset + recordSize <= bytes.length; offset += recordSize) {
      const row = bytes.readUInt32LE(offset);
      if (!concerns(row)) continue;
      found.push({
        row,
        inode: bytes.readBigUInt64LE(offset + 8),
        size: bytes.readDoubleLE(offset + 16),
        modifiedNs: bytes.readBigInt64LE(offset + 24),
      });
    }
  }
  return found;
}
