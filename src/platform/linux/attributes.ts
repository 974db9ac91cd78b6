import { checked, SystemError } from "./errors.ts";
import { at, call } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

/** An extended attribute: ACLs and capabilities are attributes too. */
export interface ExtendedAttribute {
  /** With its name space, for example `user.origin` or `system.posix_acl_access`. */
  name: string;
  value: Buffer;
}

const noAttributes: ReadonlySet<number> = new Set([-95, -38, -61]);

/** Sets owner and group; false where that is not allowed to this user or not known to this file system. */
export function setOwner(descriptor: number, user: number, group: number): boolean {
  return allowed(systemCall(call.fchown, descriptor, user, group), "fchown");
}

/** As {@link setOwner} for a name in a directory, the link itself where it is a symlink. */
export function setOwnerAt(
  directory: number,
  name: Uint8Array | string,
  user: number,
  group: number,
): boolean {
  const path = terminated(name);
  return allowed(systemCall(call.fchownat, directory, addressOf(path), user, group, at.noFollow), "fchownat");
}

function allowed(result: number, name: string): boolean {
  if (result === -1 || result === -22 || result === -95) return false;
  checked(result, name);
  return true;
}

/** Sets permission, set-id and sticky bits. */
export function setMode(descriptor: number, mode: number): boolean {
  return allowed(systemCall(call.fchmod, descriptor, mode), "fchmod");
}

/** Sets access and modification times (nanoseconds since 1970). */
export function setTimes(descriptor: number, accessedNs: bigint, modifiedNs: bigint): void {
  const times = timespecs(accessedNs, modifiedNs);
  checked(systemCall(call.utimensat, descriptor, 0, addressOf(times), 0), "utimensat");
}

/** As {@link setTimes} for a name in a directory, the link itself where it is a symlink. */
export function setTimesAt(
  directory: number,
  name: Uint8Array | string,
  accessedNs: bigint,
  modifiedNs: bigint,
): void {
  const times = timespecs(accessedNs, modifiedNs);
  const path = terminated(name);
  const result = systemCall(call.utimensat, directory, addressOf(path), addressOf(times), at.noFollow);
  checked(result, "utimensat");
}

function timespecs(accessedNs: bigint, modifiedNs: bigint): Buffer {
  const buffer = Buffer.allocUnsafe(32);
  writeTimespec(buffer, 0, accessedNs);
  writeTimespec(buffer, 16, modifiedNs);
  return buffer;
}

/** The nanosecond part is never negative, also before 1970. */
function writeTimespec(buffer: Buffer, offset: number, time: bigint): void {
  const billion = 1_000_000_000n;
  const nanoseconds = ((time % billion) + billion) % billion;
  buffer.writeBigInt64LE((time - nanoseconds) / billion, offset);
  buffer.writeBigInt64LE(nanoseconds, offset + 8);
}

/** The extended attributes of an open file; none where the file system has none. */
export function extendedAttributes(descriptor: number): ExtendedAttribute[] {
  const needed = systemCall(call.flistxattr, descriptor, 0, 0);
  if (needed === 0 || noAttributes.has(needed)) return [];
  const names = Buffer.alloc(checked(needed, "flistxattr"));
  const length = checked(
    systemCall(call.flistxattr, descriptor, addressOf(names), names.length),
    "flistxattr",
  );
  const list = names.toString("latin1", 0, length).split("\0");
  return list.filter((name) => name !== "").flatMap((name) => attribute(descriptor, name) ?? []);
}

function attribute(descriptor: number, name: string): ExtendedAttribute | undefined {
  const path = Buffer.from(`${name}\0`, "latin1");
  const value = Buffer.alloc(65_536);
  const length = systemCall(call.fgetxattr, descriptor, addressOf(path), addressOf(value), value.length);
  if (length < 0) return undefined;
  return { name, value: Buffer.from(value.subarray(0, length)) };
}

/** Sets one extended attribute; fails with a SystemError. */
export function setExtendedAttribute(descriptor: number, { name, value }: ExtendedAttribute): void {
  const path = Buffer.from(`${name}\0`, "latin1");
  const bytes = value.length === 0 ? Buffer.alloc(1) : value;
  const result = systemCall(call.fsetxattr, descriptor, addressOf(path), addressOf(bytes), value.length, 0);
  if (result < 0) throw new SystemError(-result, "fsetxattr");
}

/** Removes one extended attribute if it is there. */
export function removeExtendedAttribute(descriptor: number, name: string): void {
  const path = Buffer.from(`${name}\0`, "latin1");
  systemCall(call.fremovexattr, descriptor, addressOf(path));
}
