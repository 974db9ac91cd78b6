/** Files without a name: nobody else can open them, and they are gone with whoever held them, also after a crash. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

const chunkBytes = 1 << 20;

/** Makes an empty file in a directory, for reading and writing, and takes its name away. Fails as `open` does. */
export async function openUnlinked(directory: string): Promise<FileHandle> {
  const path = join(directory, `python-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Writes at a position and leaves the file's own where it was, for whoever inherits the descriptor. Answers the position after it. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < bytes.length)
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  return position + done;
}

/** The file from a position to its end, in chunks of 1 MB. */
export async function* readFrom(file: FileHandle, start: number): AsyncGenerator<Uint8Array> {
  for (let position = start; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
