import { checked } from "./errors.ts";
import { call } from "./numbers.ts";
import { addressOf, systemCall } from "./system-call.ts";

/**
 * The names in an open directory, as the bytes that the file system holds, without `.` and `..`, in its own order.
 * A name is a copy: it may be kept. Reads 64 KiB of entries at a time.
 */
export function* directoryEntries(descriptor: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(65_536);
  for (;;) {
    const length = checked(
      systemCall(call.getdents64, descriptor, addressOf(buffer), buffer.length),
      "getdents64",
    );
    if (length === 0) return;
    // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name up to a NUL
    for (let offset = 0; offset < length; offset += buffer.readUInt16LE(offset + 16)) {
      const start = offset + 19;
      const name = buffer.subarray(start, buffer.indexOf(0, start));
      if (!isSelfOrParent(name)) yield Buffer.from(name);
    }
  }
}

function isSelfOrParent(name: Buffer): boolean {
  if (name[0] !== 0x2e) return false;
  return name.length === 1 || (name.length === 2 && name[1] === 0x2e);
}
