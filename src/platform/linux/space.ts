import { statfs } from "node:fs/promises";
import { checked } from "./errors.ts";
import { call } from "./numbers.ts";
import { addressOf, systemCall } from "./system-call.ts";

/** Bytes that this user may still write to the file system that holds `path`. Fails with ENOENT and the like. */
export async function fileSystemFree(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** The magic number (`linux/magic.h`) of the file system that holds an open file. */
export function fileSystemType(descriptor: number): number {
  const buffer = Buffer.alloc(120);
  checked(systemCall(call.fstatfs, descriptor, addressOf(buffer)), "fstatfs");
  return buffer.readUInt32LE(0);
}
