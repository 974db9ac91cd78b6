import { checked, SystemError } from "./errors.ts";
import { at, call } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

const exists = -17;
const notSupported: ReadonlySet<number> = new Set([-22, -38, -95]);
const linksNotAllowed: ReadonlySet<number> = new Set([-1, -22, -38, -95]);
const noReplace = 1;

/** Makes a directory; false when the name is taken by anything. */
export function makeDirectory(directory: number, name: Uint8Array | string, mode: number): boolean {
  const path = terminated(name);
  const result = systemCall(call.mkdirat, directory, addressOf(path), mode);
  if (result === exists) return false;
  checked(result, "mkdirat");
  return true;
}

/** Removes a name that is not a directory. */
export function unlink(directory: number, name: Uint8Array | string): void {
  const path = terminated(name);
  checked(systemCall(call.unlinkat, directory, addressOf(path), 0), "unlinkat");
}

/** As {@link unlink}; a name that is not there, or cannot be removed, is let be. */
export function unlinkIfPresent(directory: number, name: Uint8Array | string): void {
  const path = terminated(name);
  systemCall(call.unlinkat, directory, addressOf(path), 0);
}

/** Removes an empty directory. */
export function removeDirectory(directory: number, name: Uint8Array | string): void {
  const path = terminated(name);
  checked(systemCall(call.unlinkat, directory, addressOf(path), at.removeDirectory), "unlinkat");
}

/** Makes a symlink that holds exactly these bytes. */
export function makeSymlink(content: Uint8Array, directory: number, name: Uint8Array | string): void {
  const target = terminated(content);
  const path = terminated(name);
  checked(systemCall(call.symlinkat, addressOf(target), directory, addressOf(path)), "symlinkat");
}

/** What a symlink holds, as bytes. */
export function readSymlink(directory: number, name: Uint8Array | string): Buffer {
  const path = terminated(name);
  const buffer = Buffer.allocUnsafe(4096);
  const length = systemCall(call.readlinkat, directory, addressOf(path), addressOf(buffer), buffer.length);
  return Buffer.from(buffer.subarray(0, checked(length, "readlinkat")));
}

/** How an unnamed temporary file gets its name on this machine: by its descriptor, or by its name in /proc. */
export type LinkWay = "descriptor" | "proc";

/** Gives an unnamed temporary file (O_TMPFILE) a name; false when the name is taken. Never replaces anything. */
export function linkTemporary(
  descriptor: number,
  directory: number,
  name: Uint8Array | string,
  way: LinkWay,
): boolean {
  const path = terminated(name);
  const byDescriptor = way === "descriptor";
  const origin = terminated(byDescriptor ? "" : `/proc/self/fd/${descriptor}`);
  const result = systemCall(
    call.linkat,
    byDescriptor ? descriptor : at.currentDirectory,
    addressOf(origin),
    directory,
    addressOf(path),
    byDescriptor ? at.emptyPath : at.follow,
  );
  if (result === exists) return false;
  checked(result, "linkat");
  return true;
}

/**
 * Renames without ever replacing anything; false when the new name is taken. Where the file system does not know
 * RENAME_NOREPLACE the same is done by a hard link, which also refuses a taken name.
 */
export function renameNoReplace(
  fromDirectory: number,
  from: Uint8Array | string,
  toDirectory: number,
  to: Uint8Array | string,
): boolean {
  const source = terminated(from);
  const target = terminated(to);
  const [a, b] = [addressOf(source), addressOf(target)];
  const result = systemCall(call.renameat2, fromDirectory, a, toDirectory, b, noReplace);
  if (result === exists) return false;
  if (!notSupported.has(result)) {
    checked(result, "renameat2");
    return true;
  }
  const linked = systemCall(call.linkat, fromDirectory, a, toDirectory, b, 0);
  if (linked === exists) return false;
  if (linksNotAllowed.has(linked)) throw new SystemError(-linked, "linkat");
  checked(linked, "linkat");
  unlink(fromDirectory, from);
  return true;
}
