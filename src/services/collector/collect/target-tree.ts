import { openBeneath } from "../../../platform/linux/beneath.ts";
import { closeQuietly, openAt, openPath } from "../../../platform/linux/descriptors.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import { makeDirectory } from "../../../platform/linux/names.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { statusIfPresent } from "../../../platform/linux/status.ts";
import { DirectoryCache } from "./directory-cache.ts";
import { joinPath, numberedName, splitPath } from "./names.ts";

/** A directory of the target, open. */
export interface TargetDirectory {
  descriptor: number;
  /** Where it really lies below the target: numbered where its name was taken by something that is no directory. */
  path: Buffer;
  /** Just made by this thread: nobody else's file is in it. */
  fresh: boolean;
}

/** New directories are closed to others until they get the mode of their original. */
const newDirectoryMode = 0o700;
const inTheWay: ReadonlySet<string | undefined> = new Set(["ENOTDIR", "ELOOP"]);

/** Opens and makes directories below the target for one thread; a symlink in the target is never followed. */
export class TargetTree {
  readonly #root: number;
  readonly #cache = new DirectoryCache<TargetDirectory>(64);

  /** Fails with a SystemError when the target cannot be opened. */
  constructor(target: string) {
    this.#root = openPath(target, openFlag.directory);
  }

  /** The directory for a planned path, made with all above it where it is missing. Borrowed. */
  directory(planned: Buffer): TargetDirectory {
    return this.#cache.get(planned.toString("latin1"), () => this.#open(planned));
  }

  /** As {@link directory}, but undefined when it is not there. */
  existing(planned: Buffer): TargetDirectory | undefined {
    const { parent, name } = splitPath(planned);
    if (planned.length === 0) return this.directory(planned);
    const above = this.existing(parent);
    if (above === undefined) return undefined;
    for (let number = 1; ; number++) {
      const candidate = numberedName(name, number);
      const status = statusIfPresent(above.descriptor, candidate);
      if (status === undefined) return undefined;
      if (status.type === "directory") return this.directory(planned);
    }
  }

  close(): void {
    this.#cache.close();
    closeQuietly(this.#root);
  }

  #open(planned: Buffer): TargetDirectory {
    if (planned.length === 0)
      return { descriptor: openAt(this.#root, ".", openFlag.directory), path: planned, fresh: false };
    return this.#openExisting(planned) ?? this.#openStep(planned);
  }

  /** The usual case in one call; undefined when something on the way is missing or no directory. */
  #openExisting(planned: Buffer): TargetDirectory | undefined {
    try {
      return {
        descriptor: openBeneath(this.#root, planned, openFlag.directory),
        path: planned,
        fresh: false,
      };
    } catch (error) {
      if (errorCode(error) === "ENOENT" || inTheWay.has(errorCode(error))) return undefined;
      throw error;
    }
  }

  #openStep(planned: Buffer): TargetDirectory {
    const { parent, name } = splitPath(planned);
    const above = this.directory(parent);
    for (let number = 1; ; number++) {
      const candidate = numberedName(name, number);
      const fresh = makeDirectory(above.descriptor, candidate, newDirectoryMode);
      try {
        const descriptor = openAt(above.descriptor, candidate, openFlag.directory | openFlag.noFollow);
        return { descriptor, path: joinPath(above.path, candidate), fresh };
      } catch (error) {
        if (!inTheWay.has(errorCode(error))) throw error;
      }
    }
  }
}
