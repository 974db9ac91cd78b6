/** Entries for the tests of archives. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ArchiveEntry } from "../../../src/services/collector/archive/entry.ts";

/** A run that nobody stops or watches. */
export const quiet = { signal: new AbortController().signal, onProgress() {} };
/** The time of every entry. */
const mtimeNs = 1_700_000_000_123_456_789n;

/** An entry of a file, unless the rest says otherwise. */
export function entryOf(
  path: string | Buffer,
  name: string | Buffer,
  rest: Partial<ArchiveEntry> = {},
): ArchiveEntry {
  return {
    path: Buffer.from(path),
    name: Buffer.from(name),
    type: "file",
    size: 0,
    mode: 0o644,
    mtimeNs,
    ...rest,
  };
}

/** Entries as the collecting engine hands them on. */
export async function* groups(entries: Iterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry[]> {
  const group: ArchiveEntry[] = [];
  for (const entry of entries) {
    group.push(entry);
    if (group.length === 1000) yield group.splice(0);
  }
  yield group;
}

/** Random bytes: deflate cannot make them smaller. */
export const noise = (length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 65_536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)));
  return bytes;
};

/** Writes files and lists them as entries. */
export function makeFiles(directory: string, files: Record<string, Buffer>): ArchiveEntry[] {
  return Object.entries(files).map(([name, content], index) => {
    const path = join(directory, `file-${index}`);
    writeFileSync(path, content);
    return entryOf(path, name, { size: content.length });
  });
}

export const sha256 = (content: Buffer): string =>
  new Bun.CryptoHasher("sha256").update(content).digest("hex");
