import { openBeneath } from "../../../platform/linux/beneath.ts";
import { closeQuietly, openPath } from "../../../platform/linux/descriptors.ts";
import { directoryEntries } from "../../../platform/linux/directory-entries.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { type FileStatus, statusAt, statusOf } from "../../../platform/linux/status.ts";
import type { Filter } from "./filter.ts";
import { isPseudoFileSystem } from "./pseudo-file-system.ts";
import { type SourceRoot, sourcePath } from "./roots.ts";

/** What the walk meets, in the order in which it meets it: a directory before what it holds. */
export interface Found {
  type: FileStatus["type"] | "unreadable";
  size: number;
  modifiedNs: bigint;
  /** Bytes occupied on disk, never more than `size`. */
  occupied: number;
  /** Below the source's directory. */
  path: Buffer;
}

/** What bounds a walk. */
export interface WalkLimits {
  /** `device:inode` of directories that are left out with all below them: target, work directory, data directory. */
  excluded: ReadonlySet<string>;
  filter: Filter;
  /** Called for every name; throws to stop the walk. */
  step(): void;
  warn(message: string): void;
}

/**
 * Everything below one source that the filter accepts. No symlink is followed: a directory that was replaced by one
 * between listing and opening counts as unreadable. A directory that is mounted within itself is walked once.
 */
export function* walkSource(root: SourceRoot, limits: WalkLimits): Generator<Found> {
  const directory = openRoot(root);
  try {
    if (root.entry !== null) {
      const name = Buffer.from(root.entry, "latin1");
      yield* foundFile(root, name, statusAt(directory, name), limits);
    } else {
      yield* walkDirectories(root, directory, limits);
    }
  } finally {
    closeQuietly(directory);
  }
}

/** Opens a source's directory and makes sure that it still is the one that was resolved. */
export function openRoot(root: SourceRoot): number {
  const path = Buffer.from(root.directory, "latin1");
  const descriptor = openPath(path, openFlag.directory | openFlag.noFollow);
  const { device, inode } = statusOf(descriptor);
  if (device.toString() === root.device && inode.toString() === root.inode) return descriptor;
  closeQuietly(descriptor);
  throw new Error(`${root.given} was replaced while it was being collected`);
}

/** Depth first with a stack of paths, so that one descriptor is enough however deep the tree is. */
function* walkDirectories(root: SourceRoot, top: number, limits: WalkLimits): Generator<Found> {
  const topDevice = statusOf(top).device;
  const pending: Buffer[] = [Buffer.alloc(0)];
  const ancestors: string[] = [];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    limits.step();
    let directory: number | undefined;
    try {
      directory = openBeneath(top, path, openFlag.directory);
      const status = statusOf(directory);
      ancestors.length = Math.min(ancestors.length, depthOf(path));
      const reason = reasonToLeaveOut(status, ancestors, topDevice, directory, limits);
      if (reason === undefined) {
        ancestors.push(identity(status));
        yield { type: "directory", size: 0, occupied: 0, modifiedNs: status.modifiedNs, path };
        yield* listDirectory(root, directory, path, pending, limits);
      } else if (reason !== "") {
        limits.warn(`${sourcePath(root, path).toString()} ${reason}: left out`);
      }
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      yield unreadable(path, error);
    } finally {
      if (directory !== undefined) closeQuietly(directory);
    }
  }
}

/** Empty where the reason needs no telling, as for the target within a source. */
function reasonToLeaveOut(
  status: FileStatus,
  ancestors: readonly string[],
  topDevice: bigint,
  directory: number,
  limits: WalkLimits,
): string | undefined {
  if (limits.excluded.has(identity(status))) return "";
  if (ancestors.includes(identity(status))) return "is mounted within itself";
  if (status.device === topDevice || !isPseudoFileSystem(directory)) return undefined;
  return "holds no files but the kernel's state";
}

function identity({ device, inode }: FileStatus): string {
  return `${device}:${inode}`;
}

/** 0 for the source itself, 1 for what lies directly in it. */
function depthOf(path: Buffer): number {
  if (path.length === 0) return 0;
  let depth = 1;
  for (const byte of path) if (byte === 0x2f) depth++;
  return depth;
}

function* listDirectory(
  root: SourceRoot,
  directory: number,
  path: Buffer,
  pending: Buffer[],
  limits: WalkLimits,
): Generator<Found> {
  const prefix = path.length === 0 ? path : Buffer.concat([path, Buffer.from("/")]);
  for (const name of directoryEntries(directory)) {
    limits.step();
    const below = Buffer.concat([prefix, name]);
    const status = statusOrReason(directory, name);
    if (status instanceof Error) {
      if (errorCode(status) !== "ENOENT") yield unreadable(below, status);
    } else if (status.type === "directory") {
      if (limits.filter.enters(below.toString())) pending.push(below);
    } else {
      yield* foundFile(root, below, status, limits);
    }
  }
}

/** A name that vanished since it was listed was never there for this collection. */
function statusOrReason(directory: number, name: Buffer): FileStatus | Error {
  try {
    return statusAt(directory, name);
  } catch (error) {
    if (error instanceof Error && errorCode(error) !== undefined) return error;
    throw error;
  }
}

function* foundFile(
  root: SourceRoot,
  path: Buffer,
  status: FileStatus,
  { filter }: WalkLimits,
): Generator<Found> {
  const names = () => ({ path: sourcePath(root, path).toString(), relative: path.toString() });
  if (!filter.accepts(status, names)) return;
  const size = status.type === "file" ? status.size : 0;
  const { type, modifiedNs } = status;
  yield { type, size, occupied: Math.min(size, status.allocated), modifiedNs, path };
}

function unreadable(path: Buffer, error: unknown): Found {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : 5;
  return { type: "unreadable", size: errno, occupied: 0, modifiedNs: 0n, path };
}
