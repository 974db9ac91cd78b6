import {
  extendedAttributes,
  setExtendedAttribute,
  setMode,
  setOwner,
  setOwnerAt,
  setTimes,
  setTimesAt,
} from "../../../platform/linux/attributes.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import type { FileStatus } from "../../../platform/linux/status.ts";

/** What a new file in the work directory gets from the system, so that setting the same again can be left out. */
export interface CreationDefaults {
  user: number;
  group: number;
  /** Permission bits that the umask takes away. */
  umask: number;
}

const setIdBits = 0o6000;
const attributesOfThisMachine: ReadonlySet<string> = new Set([
  "security.selinux",
  "security.ima",
  "security.evm",
]);
const notKeepable: ReadonlySet<string | undefined> = new Set([
  "EPERM",
  "EOPNOTSUPP",
  "ENOSPC",
  "EINVAL",
  "E2BIG",
  "ERANGE",
]);

/**
 * Gives an open copy the owner, mode, ACLs, extended attributes and times of its original. Ownership is kept where
 * this user may; without it the set-id bits would hand somebody else's rights out, so they go too. Returns a note
 * when something could not be kept.
 */
export function keepMetadata(
  source: number,
  target: number,
  status: FileStatus,
  created?: CreationDefaults,
): string | undefined {
  const owned = keepsOwner(status, created) || setOwner(target, status.user, status.group);
  if (!hasMode(status, created) || !owned) setMode(target, owned ? status.mode : status.mode & ~setIdBits);
  const lost = extendedAttributes(source).flatMap((attribute) => {
    try {
      setExtendedAttribute(target, attribute);
      return [];
    } catch (error) {
      if (!notKeepable.has(errorCode(error))) throw error;
      return attributesOfThisMachine.has(attribute.name) ? [] : [attribute.name];
    }
  });
  setTimes(target, status.accessedNs, status.modifiedNs);
  return lost.length > 0 ? `not kept: ${lost.join(", ")}` : undefined;
}

function keepsOwner(status: FileStatus, created: CreationDefaults | undefined): boolean {
  return created !== undefined && status.user === created.user && status.group === created.group;
}

/** Whether the file was already created with its mode, as {@link creationMode} asks for. */
function hasMode(status: FileStatus, created: CreationDefaults | undefined): boolean {
  if (created === undefined || !keepsOwner(status, created)) return false;
  return status.mode === (creationMode(status) & ~created.umask);
}

/** The mode to create a copy with: its own, without what only its owner may be given. */
export function creationMode({ mode }: FileStatus): number {
  return mode & 0o777;
}

/** As {@link keepMetadata} for a symlink, which has no mode of its own. */
export function keepSymlinkMetadata(directory: number, name: string, status: FileStatus): void {
  setOwnerAt(directory, name, status.user, status.group);
  setTimesAt(directory, name, status.accessedNs, status.modifiedNs);
}
