/** One thing to put into an archive. */
export interface ArchiveEntry {
  /** What to read: an absolute path as the kernel's bytes. */
  path: Buffer;
  /** Its name in the archive, as bytes, with `/` between directories. */
  name: Buffer;
  type: "file" | "symlink" | "directory";
  /** Bytes of a file when it was listed. */
  size: number;
  /** Permission bits. */
  mode: number;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
}

/** The name without what an extracting program could be led astray by: leading slashes, `.` and `..`. */
export function safeName(name: Buffer): Buffer {
  const parts = name.toString("latin1").split("/");
  return Buffer.from(
    parts.filter((part) => part !== "" && part !== "." && part !== "..").join("/"),
    "latin1",
  );
}
