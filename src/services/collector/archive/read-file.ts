/** Reading files for an archive, by paths of bytes, never waiting on a FIFO and never following a link. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const pathOf = (latin1: string): Buffer => Buffer.from(latin1, "latin1");

/** Calls `use` with an open regular file. Throws when it is none (any more). */
function withFile<T>(path: string, use: (descriptor: number, size: number) => T): T {
  const descriptor = openSync(pathOf(path), flags);
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw new Error("not a regular file");
    return use(descriptor, found.size);
  } finally {
    closeSync(descriptor);
  }
}

function readFully(descriptor: number, buffer: Buffer, offset: number): Buffer {
  let filled = 0;
  while (filled < buffer.length) {
    const read = readSync(descriptor, buffer, filled, buffer.length - filled, offset + filled);
    if (read === 0) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}

/** The whole of a file as of now, at most `limit` bytes. */
export const readWhole = (path: string, limit: number): Buffer =>
  withFile(path, (descriptor, size) => readFully(descriptor, Buffer.allocUnsafe(Math.min(size, limit)), 0));

/** Up to `length` bytes from `offset` on; fewer where the file ends. */
export const readPart = (path: string, offset: number, length: number): Buffer =>
  withFile(path, (descriptor) => readFully(descriptor, Buffer.allocUnsafe(length), offset));
