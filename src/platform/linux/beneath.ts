import { closeQuietly, openAt } from "./descriptors.ts";
import { checked } from "./errors.ts";
import { call, openFlag, resolve } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

const notImplemented = -38;
const tryAgain = -11;
const slash = 0x2f;
const attempts = 100;

/**
 * Opens a path below a directory without following any symlink and without ever leaving the directory, whatever
 * others rename meanwhile (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS). On kernels before 5.6, or where a
 * sandbox hides the call, the path is walked name by name with O_NOFOLLOW. `path` is relative; empty means the
 * directory itself; tests pass `kernelResolves` false. Fails with ELOOP or ENOTDIR where a symlink lies in the way.
 */
export function openBeneath(
  directory: number,
  path: Uint8Array,
  flags: number,
  kernelResolves = true,
): number {
  if (path.length === 0) return openAt(directory, ".", flags | openFlag.noFollow);
  if (!kernelResolves) return openByName(directory, path, flags);
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | openFlag.noFollow | openFlag.closeOnExec), 0);
  how.writeBigUInt64LE(BigInt(resolve.beneath | resolve.noSymlinks | resolve.noMagicLinks), 16);
  const name = terminated(path);
  let result = tryAgain;
  // EAGAIN means that a rename ran at the same time and the kernel could not be sure: it asks to look again.
  for (let attempt = 0; attempt < attempts && result === tryAgain; attempt++) {
    result = systemCall(call.openat2, directory, addressOf(name), addressOf(how), how.length);
  }
  return result === notImplemented ? openByName(directory, path, flags) : checked(result, "openat2");
}

function openByName(directory: number, path: Uint8Array, flags: number): number {
  const names = split(path);
  const last = names.pop() ?? Buffer.from(".");
  let current = directory;
  try {
    for (const name of names) {
      const next = openAt(current, name, openFlag.directory | openFlag.noFollow | openFlag.pathOnly);
      if (current !== directory) closeQuietly(current);
      current = next;
    }
    return openAt(current, last, flags | openFlag.noFollow);
  } finally {
    if (current !== directory) closeQuietly(current);
  }
}

function split(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  let start = 0;
  for (let end = 0; end <= path.length; end++) {
    if (end < path.length && path[end] !== slash) continue;
    names.push(path.subarray(start, end));
    start = end + 1;
  }
  if (names.some((name) => name.length === 0 || Buffer.from(name).equals(Buffer.from("..")))) {
    throw new Error("a path below a directory holds no empty name and no '..'");
  }
  return names;
}
