import { closeQuietly } from "../../../platform/linux/descriptors.ts";

/** Open directories by key, the least recently used closed first. For one thread. */
export class DirectoryCache<T extends { descriptor: number }> {
  readonly #open = new Map<string, T>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The directory of this key, opened by `open` where it is not at hand. It stays open until `limit` others were used. */
  get(key: string, open: () => T): T {
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, known);
      return known;
    }
    const opened = open();
    this.#open.set(key, opened);
    this.#evict();
    return opened;
  }

  /** Closes all of them. */
  close(): void {
    for (const { descriptor } of this.#open.values()) closeQuietly(descriptor);
    this.#open.clear();
  }

  #evict(): void {
    if (this.#open.size <= this.#limit) return;
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    closeQuietly(oldest[1].descriptor);
  }
}
