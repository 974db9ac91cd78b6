/** manifest.json: what became of every file, written as it is read, so that its length does not matter. */
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { FileRecord } from "./collect/collect.ts";

/** What stands before the list of files. */
export type ManifestHeader = Record<string, unknown>;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A path as text; where its bytes are no UTF-8 the text is only close to it and the bytes follow in base64. */
function pathFields(name: string, path: Buffer): Record<string, string> {
  try {
    return { [name]: decoder.decode(path) };
  } catch {
    return { [name]: path.toString(), [`${name}_base64`]: path.toString("base64") };
  }
}

const isoTime = (nanoseconds: bigint): string | null => {
  const time = new Date(Number(nanoseconds / 1_000_000n));
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
};

const lineOf = (record: FileRecord): string =>
  JSON.stringify({
    ...pathFields("source", record.source),
    ...pathFields("target", record.target),
    type: record.type,
    status: record.status,
    size: record.size,
    sha256: record.sha256 ?? null,
    mode: record.mode.toString(8).padStart(4, "0"),
    modified: isoTime(record.mtimeNs),
    ...(record.reason === undefined ? {} : { reason: record.reason }),
    ...(record.note === undefined ? {} : { note: record.note }),
  });

async function* linesOf(
  header: ManifestHeader,
  records: AsyncIterable<FileRecord[]>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(header).slice(0, -1)},"files":[`;
  let separator = "\n";
  for await (const group of records) {
    if (group.length === 0) continue;
    yield separator + group.map(lineOf).join(",\n");
    separator = ",\n";
  }
  yield "\n]}\n";
}

/** Writes the manifest to the new file `path`: the header's fields, then `files`, one a line. */
export async function writeManifest(
  path: string,
  records: AsyncIterable<FileRecord[]>,
  header: ManifestHeader,
): Promise<void> {
  await pipeline(linesOf(header, records), createWriteStream(path, { flags: "wx", mode: 0o644 }));
}
