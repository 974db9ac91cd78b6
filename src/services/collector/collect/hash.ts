import { readAt, seekTo } from "../../../platform/linux/descriptors.ts";
import { seek } from "../../../platform/linux/numbers.ts";
import { type FileStatus, isSparse } from "../../../platform/linux/status.ts";
import { type StopFlag, throwIfStopped } from "./stop-flag.ts";

/** What copying and hashing need besides the files: one reused buffer, the flag, and someone who counts. */
export interface CopyContext {
  buffer: Buffer;
  stop: StopFlag;
  /** Told about every piece of a file that is larger than the buffer, in bytes. */
  onBytes(count: number): void;
}

/** SHA-256 in hex of an open file's first `status.size` bytes; of fewer, when the file has become shorter. */
export function hashFile(descriptor: number, status: FileStatus, context: CopyContext): string {
  const { size } = status;
  if (size <= context.buffer.length) {
    const length = readFully(descriptor, context.buffer, size, 0);
    return Bun.CryptoHasher.hash("sha256", context.buffer.subarray(0, length), "hex");
  }
  const hasher = new Bun.CryptoHasher("sha256");
  for (let offset = 0; offset < size; ) {
    const data = isSparse(status) ? Math.min(seekTo(descriptor, offset, seek.data) ?? size, size) : offset;
    hashZeros(hasher, data - offset, context);
    const hole = isSparse(status) && data < size ? (seekTo(descriptor, data, seek.hole) ?? size) : size;
    const end = Math.min(hole, size);
    if (hashRange(descriptor, data, end, hasher, context) < end) break;
    offset = end;
  }
  return hasher.digest("hex");
}

/** Returns where it ended: `end`, or the file's end where that comes first. */
function hashRange(
  descriptor: number,
  start: number,
  end: number,
  hasher: Bun.CryptoHasher,
  { buffer, stop }: CopyContext,
): number {
  let offset = start;
  while (offset < end) {
    throwIfStopped(stop);
    const length = readAt(descriptor, buffer, end - offset, offset);
    if (length === 0) break;
    hasher.update(buffer.subarray(0, length));
    offset += length;
  }
  return offset;
}

/** Reads `size` bytes at `offset` into the buffer, or up to the file's end; returns how many. */
export function readFully(descriptor: number, buffer: Buffer, size: number, offset: number): number {
  let done = 0;
  while (done < size) {
    const length = readAt(descriptor, buffer.subarray(done), size - done, offset + done);
    if (length === 0) break;
    done += length;
  }
  return done;
}

const zeros = Buffer.alloc(1_048_576);

/** Hashes so many zeros: what a reader of a hole sees. */
export function hashZeros(hasher: Bun.CryptoHasher, count: number, { stop }: CopyContext): void {
  for (let left = count; left > 0; left -= zeros.length) {
    throwIfStopped(stop);
    hasher.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  }
}
