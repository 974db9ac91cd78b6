import { readAt } from "../../../platform/linux/descriptors.ts";
import { type StopFlag, throwIfStopped } from "./stop-flag.ts";

/** What copying and hashing need besides the files: one reused buffer, the flag, and someone who counts. */
export interface CopyContext {
  buffer: Buffer;
  stop: StopFlag;
  /** Told about every piece of a file that is larger than the buffer, in bytes. */
  onBytes(count: number): void;
}

/** SHA-256 in hex of an open file's first `size` bytes; of fewer, when the file is shorter. */
export function hashFile(descriptor: number, size: number, { buffer, stop }: CopyContext): string {
  if (size <= buffer.length) {
    const length = readFully(descriptor, buffer, size, 0);
    return Bun.CryptoHasher.hash("sha256", buffer.subarray(0, length), "hex");
  }
  const hasher = new Bun.CryptoHasher("sha256");
  let offset = 0;
  while (offset < size) {
    throwIfStopped(stop);
    const length = readAt(descriptor, buffer, size - offset, offset);
    if (length === 0) break;
    hasher.update(buffer.subarray(0, length));
    offset += length;
  }
  return hasher.digest("hex");
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
