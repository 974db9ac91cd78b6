/** Which files are meant: a shell pattern or a regular expression (RE2 syntax, searched in the absolute path). */
export interface Pattern {
  pattern: string;
  type: "glob" | "regex";
}

/** What happens to the sources: kept, removed together at the end, or removed one by one as they are safe. */
export type CollectMode = "copy" | "move" | "move_remove";

/** One collection. Paths are absolute. */
export interface CollectOptions {
  /** Names the work directory `<target>/.quintet-<jobId>`; the same id resumes an interrupted collection. */
  jobId: string;
  /** Files or directories. */
  sources: string[];
  /** A directory, made when missing. */
  target: string;
  /** A file is collected when any of these matches; none means every file. */
  patterns: Pattern[];
  /** A file is left out when any of these matches; a directory that a glob matches is left out with all below it. */
  exclude: Pattern[];
  /** Bytes, inclusive. */
  minSize?: number;
  /** Bytes, inclusive. */
  maxSize?: number;
  /** Inclusive. */
  modifiedSince?: Date;
  /** Exclusive. */
  modifiedBefore?: Date;
  mode: CollectMode;
  /** Directories that are never read and never written: the server's own data. */
  forbidden: string[];
  /** Directories within which sources must lie once symlinks are resolved; unset means anywhere. */
  allowedSources?: string[];
  /** The same for the target. */
  allowedTargets?: string[];
}

/** Whether sources are removed after they were copied. */
export function removesSources(mode: CollectMode): boolean {
  return mode !== "copy";
}
