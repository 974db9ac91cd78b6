import { cloneBlocks, readAt, seekTo, truncate, writeAt } from "../../../platform/linux/descriptors.ts";
import { seek } from "../../../platform/linux/numbers.ts";
import { type FileStatus, isSparse, statusOf } from "../../../platform/linux/status.ts";
import { type CopyContext, hashFile, hashZeros, readFully } from "./hash.ts";
import { throwIfStopped } from "./stop-flag.ts";

/** What was written. */
export interface CopiedContent {
  /** Of the bytes written, in hex. */
  sha256: string;
  /** Bytes written; less than the status said when the file shrank. */
  size: number;
}

/** Files whose status says 0 bytes are read up to here all the same: those of /proc do hold something. */
const pseudoFileLimit = 16 * 1_048_576;

/**
 * Copies what an open file held when `status` was taken, and not a byte that was added since, into an empty file.
 * Holes stay holes; where the file systems share blocks nothing is copied at all.
 */
export function copyContent(
  source: number,
  target: number,
  status: FileStatus,
  context: CopyContext,
): CopiedContent {
  if (status.size === 0) return copyRange(source, target, 0, pseudoFileLimit, context);
  const sparse = isSparse(status);
  if (status.size <= context.buffer.length && !sparse) {
    return copySmall(source, target, status.size, context.buffer);
  }
  if (cloneBlocks(source, target)) {
    truncate(target, status.size);
    return { sha256: hashFile(target, statusOf(target), context), size: status.size };
  }
  if (sparse) return copySparse(source, target, status.size, context);
  return copyRange(source, target, 0, status.size, context);
}

function copySmall(source: number, target: number, size: number, buffer: Buffer): CopiedContent {
  const length = readFully(source, buffer, size, 0);
  if (length > 0) writeAt(target, buffer, length, 0);
  return { sha256: Bun.CryptoHasher.hash("sha256", buffer.subarray(0, length), "hex"), size: length };
}

function copyRange(
  source: number,
  target: number,
  start: number,
  end: number,
  context: CopyContext,
): CopiedContent {
  const hasher = new Bun.CryptoHasher("sha256");
  const size = pump(source, target, start, end, hasher, context);
  return { sha256: hasher.digest("hex"), size };
}

/** Returns where it ended: `end`, or the file's end where that comes first. */
function pump(
  source: number,
  target: number,
  start: number,
  end: number,
  hasher: Bun.CryptoHasher,
  { buffer, stop, onBytes }: CopyContext,
): number {
  let offset = start;
  while (offset < end) {
    throwIfStopped(stop);
    const length = readAt(source, buffer, end - offset, offset);
    if (length === 0) break;
    hasher.update(buffer.subarray(0, length));
    writeAt(target, buffer, length, offset);
    offset += length;
    onBytes(length);
  }
  return offset;
}

/** Copies the data between the holes; what is hashed is what a reader of the copy sees, zeros included. */
function copySparse(source: number, target: number, size: number, context: CopyContext): CopiedContent {
  truncate(target, size);
  const hasher = new Bun.CryptoHasher("sha256");
  let offset = 0;
  while (offset < size) {
    const data = Math.min(seekTo(source, offset, seek.data) ?? size, size);
    hashZeros(hasher, data - offset, context);
    const hole = data < size ? Math.min(seekTo(source, data, seek.hole) ?? size, size) : size;
    const end = pump(source, target, data, hole, hasher, context);
    offset = hole;
    if (end < hole) {
      truncate(target, end);
      return { sha256: hasher.digest("hex"), size: end };
    }
  }
  return { sha256: hasher.digest("hex"), size };
}
