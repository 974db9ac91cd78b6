import { checked } from "./errors.ts";
import { at, call, openFlag, type seek } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

/** Everything here works on open descriptors and blocks its thread: for Workers, or for calls known to be short. */

/** Opens `name` relative to a directory descriptor (close-on-exec always set). Fails with a SystemError. */
export function openAt(directory: number, name: Uint8Array | string, flags: number, mode = 0): number {
  const path = terminated(name);
  return checked(
    systemCall(call.openat, directory, addressOf(path), flags | openFlag.closeOnExec, mode),
    "openat",
  );
}

/** Opens an absolute path, or one relative to the working directory. */
export function openPath(path: Uint8Array | string, flags: number, mode = 0): number {
  return openAt(at.currentDirectory, path, flags, mode);
}

/** Closes a descriptor. Some file systems report a failed write only here, so the failure is not swallowed. */
export function close(descriptor: number): void {
  checked(systemCall(call.close, descriptor), "close");
}

/** Closes a descriptor that was only read, or whose content no longer matters. */
export function closeQuietly(descriptor: number): void {
  systemCall(call.close, descriptor);
}

/** Reads up to `length` bytes at `offset` into the buffer's start; 0 at the end of the file. */
export function readAt(descriptor: number, buffer: Uint8Array, length: number, offset: number): number {
  return checked(
    systemCall(call.pread, descriptor, addressOf(buffer), Math.min(length, buffer.length), offset),
    "pread",
  );
}

/** Writes the buffer's first `length` bytes at `offset`, all of them or a SystemError. */
export function writeAt(descriptor: number, buffer: Uint8Array, length: number, offset: number): void {
  let done = 0;
  while (done < length) {
    const address = addressOf(buffer) + done;
    done += checked(systemCall(call.pwrite, descriptor, address, length - done, offset + done), "pwrite");
  }
}

/** Appends the whole buffer to a descriptor opened for appending. */
export function append(descriptor: number, buffer: Uint8Array): void {
  let done = 0;
  while (done < buffer.length) {
    const address = addressOf(buffer) + done;
    done += checked(systemCall(call.write, descriptor, address, buffer.length - done), "write");
  }
}

/** Sets the length; what it grows by is a hole. */
export function truncate(descriptor: number, length: number): void {
  checked(systemCall(call.ftruncate, descriptor, length), "ftruncate");
}

/**
 * The start of the next data or hole at or after `offset` (lseek SEEK_DATA, SEEK_HOLE); undefined when there is no more
 * data.
 */
export function seekTo(
  descriptor: number,
  offset: number,
  what: (typeof seek)["data" | "hole"],
): number | undefined {
  const result = systemCall(call.lseek, descriptor, offset, what);
  if (result === -6) return undefined;
  return checked(result, "lseek");
}

/** Makes `target` share the blocks of `source` (FICLONE); false where the file system cannot. */
export function cloneBlocks(source: number, target: number): boolean {
  const ficlone = 0x40049409;
  return systemCall(call.ioctl, target, ficlone, source) === 0;
}

/** Makes a file's content durable. */
export function syncData(descriptor: number): void {
  checked(systemCall(call.fdatasync, descriptor), "fdatasync");
}

/** Makes everything written so far to the file system that holds this descriptor durable. Can take seconds. */
export function syncFileSystem(descriptor: number): void {
  checked(systemCall(call.syncfs, descriptor), "syncfs");
}
