import { checked } from "./errors.ts";
import { at, call } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

/** What kind of thing a name stands for. */
export type FileType = "file" | "directory" | "symlink" | "special";

/** The part of `struct stat` that copying needs. Times are nanoseconds since 1970. */
export interface FileStatus {
  type: FileType;
  device: bigint;
  inode: bigint;
  links: number;
  /** Permission bits with set-id and sticky bits, without the type. */
  mode: number;
  user: number;
  group: number;
  /** Bytes. */
  size: number;
  /** Bytes really occupied on disk; less than `size` in a sparse file. */
  allocated: number;
  accessedNs: bigint;
  modifiedNs: bigint;
}

const statSize = 144;
const typeBits = 0o170000;

/** The status of an open file. */
export function statusOf(descriptor: number): FileStatus {
  const buffer = Buffer.allocUnsafe(statSize);
  checked(systemCall(call.fstat, descriptor, addressOf(buffer)), "fstat");
  return decode(buffer);
}

/** The status of a name in an open directory, the link itself where it is a symlink. */
export function statusAt(directory: number, name: Uint8Array | string): FileStatus {
  const buffer = Buffer.allocUnsafe(statSize);
  const path = terminated(name);
  const result = systemCall(call.newfstatat, directory, addressOf(path), addressOf(buffer), at.noFollow);
  checked(result, "newfstatat");
  return decode(buffer);
}

/** As {@link statusAt}; undefined when the name does not exist. */
export function statusIfPresent(directory: number, name: Uint8Array | string): FileStatus | undefined {
  const buffer = Buffer.allocUnsafe(statSize);
  const path = terminated(name);
  const result = systemCall(call.newfstatat, directory, addressOf(path), addressOf(buffer), at.noFollow);
  if (result === -2) return undefined;
  checked(result, "newfstatat");
  return decode(buffer);
}

/** Offsets are those of `struct stat` on x86-64. */
function decode(buffer: Buffer): FileStatus {
  const mode = buffer.readUInt32LE(24);
  return {
    type: typeOf(mode & typeBits),
    device: buffer.readBigUInt64LE(0),
    inode: buffer.readBigUInt64LE(8),
    links: Number(buffer.readBigUInt64LE(16)),
    mode: mode & 0o7777,
    user: buffer.readUInt32LE(28),
    group: buffer.readUInt32LE(32),
    size: Number(buffer.readBigInt64LE(48)),
    allocated: Number(buffer.readBigInt64LE(64)) * 512,
    accessedNs: buffer.readBigInt64LE(72) * 1_000_000_000n + buffer.readBigInt64LE(80),
    modifiedNs: buffer.readBigInt64LE(88) * 1_000_000_000n + buffer.readBigInt64LE(96),
  };
}

function typeOf(bits: number): FileType {
  if (bits === 0o100000) return "file";
  if (bits === 0o040000) return "directory";
  return bits === 0o120000 ? "symlink" : "special";
}

/** Whether two statuses are of the same file system object: device and inode. */
export function sameFile(
  one: Pick<FileStatus, "device" | "inode">,
  other: Pick<FileStatus, "device" | "inode">,
): boolean {
  return one.inode === other.inode && one.device === other.device;
}

/** Below this a hole is not worth the calls that find it. */
const smallestSparse = 65_536;

/** Whether a file occupies less than its size, so that looking for its holes pays. */
export function isSparse({ size, allocated }: Pick<FileStatus, "size" | "allocated">): boolean {
  return size >= smallestSparse && allocated < size;
}
