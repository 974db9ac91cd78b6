/** Writing an archive of any format. */
import { invalid } from "../../../platform/http/failures.ts";
import type { ArchiveEntry } from "./entry.ts";
import { writeZip } from "./zip.ts";

export type ArchiveFormat = "zip";

/**
 * The format that a request's `archive_format` and `archive_compression` name. Fails with `invalid` for one that this version does not write: never
 * another in its place.
 */
export function formatOf(
  format: "zip" | "tar" | "7z",
  compression: "gzip" | "bzip2" | "xz" | null,
): ArchiveFormat {
  if (format === "zip") return "zip";
  const name = compression && format === "tar" ? `${format} (${compression})` : format;
  throw invalid(`Archive format is not supported by this version: ${name}`);
}

/** The name of an archive in the target directory. */
export const archiveFileName = (format: ArchiveFormat): string => `archive.${format}`;

export interface ArchiveRun {
  signal: AbortSignal;
  /** Told as entries are written: how many so far, bytes of the archive, the latest name. */
  onProgress(entries: number, bytes: number, name: string): void;
}

export interface WrittenArchive {
  entries: number;
  /** Size of the archive. */
  bytes: number;
  /** What could not be read, or not be kept as it is. */
  warnings: string[];
}

export type WriteArchive = (
  entries: AsyncIterable<ArchiveEntry[]>,
  destination: string,
  run: ArchiveRun,
) => Promise<WrittenArchive>;

const writers: Record<ArchiveFormat, WriteArchive> = { zip: writeZip };

/**
 * Writes `entries` to the new file `destination` and makes it durable. On failure or abort the file is gone, and so are
 * workers and children. Memory is bounded whatever goes in.
 */
export const writeArchive = (
  format: ArchiveFormat,
  ...rest: Parameters<WriteArchive>
): Promise<WrittenArchive> => writers[format](...rest);
