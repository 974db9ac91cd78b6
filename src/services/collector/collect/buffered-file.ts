import { append, close, openPath } from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";

/** A file written from its start in large pieces, for Workers: it blocks. */
export class BufferedFile {
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafe(262_144);
  #used = 0;

  /** Makes the file, mode 0600, or empties it. Fails with a SystemError. */
  constructor(path: string) {
    const flags = openFlag.writeOnly | openFlag.create | openFlag.truncate | openFlag.noFollow;
    this.#descriptor = openPath(path, flags, 0o600);
  }

  write(bytes: Buffer): void {
    if (this.#used + bytes.length > this.#buffer.length) this.#flush();
    if (bytes.length > this.#buffer.length) {
      append(this.#descriptor, bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  close(): void {
    this.#flush();
    close(this.#descriptor);
  }

  #flush(): void {
    if (this.#used > 0) append(this.#descriptor, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}
