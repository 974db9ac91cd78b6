import { close, closeQuietly, openAt, openPath } from "../../../platform/linux/descriptors.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import {
  type LinkWay,
  linkTemporary,
  renameNoReplace,
  unlink,
  unlinkIfPresent,
} from "../../../platform/linux/names.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { statusOf } from "../../../platform/linux/status.ts";
import type { CreationDefaults } from "./metadata.ts";
import { temporaryPrefix } from "./work-directory.ts";

/** A file being written. It has no name that anyone could mistake for a finished one. */
export interface TemporaryFile {
  descriptor: number;
  /** Its name in the work directory; null for a file that has none at all (O_TMPFILE). */
  name: string | null;
}

/** How this file system makes temporary files: unnamed ones vanish with the process, named ones are swept at resume. */
type Way = LinkWay | "named";

/** Makes temporary files in the work directory and gives them their final names. For one thread. */
export class Temporaries {
  readonly directory: number;
  readonly defaults: CreationDefaults;
  readonly #way: Way;

  /** Opens the work directory and finds out what its file system can do. Fails with a SystemError. */
  constructor(work: string) {
    this.directory = openPath(work, openFlag.directory | openFlag.noFollow);
    const { way, defaults } = probe(this.directory);
    this.#way = way;
    this.defaults = defaults;
  }

  close(): void {
    closeQuietly(this.directory);
  }

  /** A new empty file for a row of the plan, open for writing and for reading back. Fails with a SystemError. */
  create(row: number, mode: number): TemporaryFile {
    if (this.#way === "named") return createNamed(this.directory, `${temporaryPrefix}${row}`, mode);
    const descriptor = openAt(this.directory, ".", openFlag.temporary | openFlag.readWrite, mode);
    return { descriptor, name: null };
  }

  /** Gives a finished file its name; false when that is taken. */
  place({ descriptor, name }: TemporaryFile, directory: number, wanted: Buffer): boolean {
    if (name !== null) return renameNoReplace(this.directory, name, directory, wanted);
    return linkTemporary(descriptor, directory, wanted, this.#way === "descriptor" ? "descriptor" : "proc");
  }

  /** Closes a file that was placed. */
  finish({ descriptor }: TemporaryFile): void {
    close(descriptor);
  }

  /** Gives up a file that was not placed. */
  discard({ descriptor, name }: TemporaryFile): void {
    closeQuietly(descriptor);
    if (name !== null) unlinkIfPresent(this.directory, name);
  }

  /** A free name in the work directory for what cannot be made without one: a symlink. */
  nameFor(row: number): string {
    return `${temporaryPrefix}${row}`;
  }
}

/** The name may be left from an attempt that another thread of the same run gave up. */
function createNamed(directory: number, name: string, mode: number): TemporaryFile {
  const flags = openFlag.readWrite | openFlag.create | openFlag.exclusive | openFlag.noFollow;
  return { descriptor: openAt(directory, name, flags, mode), name };
}

function probe(directory: number): { way: Way; defaults: CreationDefaults } {
  const name = `${temporaryPrefix}probe-${crypto.randomUUID()}`;
  const linked = Buffer.from(`${name}-linked`);
  const file = createUnnamed(directory) ?? createNamed(directory, name, 0o777);
  try {
    const { user, group, mode } = statusOf(file.descriptor);
    const defaults = { user, group, umask: 0o777 & ~mode };
    if (file.name !== null) return { way: "named", defaults };
    const way = (["descriptor", "proc"] as const).find((way) =>
      canLink(file.descriptor, directory, linked, way),
    );
    return { way: way ?? "named", defaults };
  } finally {
    closeQuietly(file.descriptor);
    if (file.name !== null) unlink(directory, file.name);
  }
}

const withoutUnnamedFiles: ReadonlySet<string | undefined> = new Set([
  "EOPNOTSUPP",
  "EISDIR",
  "ENOENT",
  "EINVAL",
]);

function createUnnamed(directory: number): TemporaryFile | undefined {
  try {
    return { descriptor: openAt(directory, ".", openFlag.temporary | openFlag.readWrite, 0o777), name: null };
  } catch (error) {
    if (withoutUnnamedFiles.has(errorCode(error))) return undefined;
    throw error;
  }
}

function canLink(descriptor: number, directory: number, name: Buffer, way: LinkWay): boolean {
  try {
    linkTemporary(descriptor, directory, name, way);
    unlink(directory, name);
    return true;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return false;
  }
}
