/** Writing an archive of any format. */
import type { ArchiveEntry } from "./entry.ts";
import { writeSevenZip } from "./seven-zip.ts";
import { tarWriter } from "./tar.ts";
import { writeZip } from "./zip.ts";

export type ArchiveFormat = "zip" | "tar" | "tar.gz" | "tar.bz2" | "tar.xz" | "7z";

const tarFormats = { gzip: "tar.gz", bzip2: "tar.bz2", xz: "tar.xz" } as const;

/** The format that a request's `archive_format` and `archive_compression` name; the latter counts for tar alone. */
export function formatOf(
  format: "zip" | "tar" | "7z",
  compression: "gzip" | "bzip2" | "xz" | null,
): ArchiveFormat {
  if (format !== "tar") return format;
  return compression ? tarFormats[compression] : "tar";
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

const writers: Record<ArchiveFormat, WriteArchive> = {
  zip: writeZip,
  tar: tarWriter("none"),
  "tar.gz": tarWriter("gzip"),
  "tar.bz2": tarWriter("bzip2"),
  "tar.xz": tarWriter("xz"),
  "7z": writeSevenZip,
};

/**
 * Writes `entries` to the new file `destination` and makes it durable. On failure or abort the file is gone, and so are
 * workers and children. Memory is bounded whatever goes in.
 */
export const writeArchive = (
  format: ArchiveFormat,
  ...rest: Parameters<WriteArchive>
): Promise<WrittenArchive> => writers[format](...rest);
