/** A file that is being written front to back, with second thoughts about its beginnings. */
import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";

export class ArchiveFile {
  readonly path: string;
  private readonly handle: FileHandle;
  /** Bytes written so far. */
  size = 0;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** Makes the file, readable by its owner alone. Fails when there is anything of that name. */
  static async create(path: string): Promise<ArchiveFile> {
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    return new ArchiveFile(path, await open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600));
  }

  /** Writes at the end. */
  async append(data: Uint8Array): Promise<void> {
    await this.write(data, this.size);
    this.size += data.length;
  }

  /** Writes over what is there. */
  async overwrite(data: Uint8Array, position: number): Promise<void> {
    await this.write(data, position);
  }

  /** Cuts off what was written after `size`. */
  async truncate(size: number): Promise<void> {
    await this.handle.truncate(size);
    this.size = size;
  }

  /** Reads back what was written. */
  async *chunks(length: number): AsyncGenerator<Uint8Array> {
    for (let position = 0; position < this.size; position += length) {
      const buffer = new Uint8Array(Math.min(length, this.size - position));
      await this.handle.read(buffer, 0, buffer.length, position);
      yield buffer;
    }
  }

  /** Makes it durable and closes it. */
  async finish(): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
  }

  /** Closes and removes it. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => {});
    await rm(this.path, { force: true });
  }

  private async write(data: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await this.handle.write(data, done, data.length - done, position + done);
      done += bytesWritten;
    }
  }
}
