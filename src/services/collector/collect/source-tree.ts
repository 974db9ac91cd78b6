import { openBeneath } from "../../../platform/linux/beneath.ts";
import { closeQuietly } from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { DirectoryCache } from "./directory-cache.ts";
import type { SourceRoot } from "./roots.ts";
import { openRoot } from "./walk.ts";

interface OpenDirectory {
  descriptor: number;
}

/** Opens directories below the sources for one thread, never through a symlink. */
export class SourceTree {
  readonly #roots: readonly SourceRoot[];
  readonly #opened = new Map<number, number>();
  readonly #cache = new DirectoryCache<OpenDirectory>(32);

  constructor(roots: readonly SourceRoot[]) {
    this.#roots = roots;
  }

  /** The source of this index. */
  root(source: number): SourceRoot {
    const root = this.#roots[source];
    if (root === undefined) throw new Error(`the plan names source ${source}, which does not exist`);
    return root;
  }

  /** A descriptor of the directory at `path` below a source, borrowed. Fails with a SystemError. */
  directory(source: number, path: Buffer): number {
    const open = () => ({
      descriptor: openBeneath(this.#rootDirectory(source), path, openFlag.directory),
    });
    return this.#cache.get(`${source}:${path.toString("latin1")}`, open).descriptor;
  }

  close(): void {
    this.#cache.close();
    for (const descriptor of this.#opened.values()) closeQuietly(descriptor);
    this.#opened.clear();
  }

  #rootDirectory(source: number): number {
    const known = this.#opened.get(source);
    if (known !== undefined) return known;
    const descriptor = openRoot(this.root(source));
    this.#opened.set(source, descriptor);
    return descriptor;
  }
}
