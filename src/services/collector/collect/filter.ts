import type { FileStatus } from "../../../platform/linux/status.ts";
import { compileMatcher } from "./match.ts";
import type { CollectOptions } from "./options.ts";

/** Decides which of the things found are collected. */
export interface Filter {
  /** Whether a file, symlink or special file is collected; `names` is asked only when patterns need them. */
  accepts(status: FileStatus, names: () => FileNames): boolean;
  /** Whether a directory below a source is walked at all. */
  enters(relative: string): boolean;
}

/** How patterns see a file. */
export interface FileNames {
  /** Absolute. */
  path: string;
  /** Below its source. */
  relative: string;
}

/** The filter of a collection's options. Fails with Unprocessable for a bad pattern. */
export function compileFilter(options: CollectOptions): Filter {
  const wanted = compileMatcher(options.patterns);
  const unwanted = compileMatcher(options.exclude);
  const everything = options.patterns.length === 0;
  const fits = limits(options);
  return {
    accepts: (status, names) => {
      if (!fits(status)) return false;
      if (everything && options.exclude.length === 0) return true;
      const { path, relative } = names();
      return (everything || wanted.matches(path, relative)) && !unwanted.matches(path, relative);
    },
    enters: (relative) => !unwanted.matchesByGlob(relative),
  };
}

function limits(options: CollectOptions): (status: FileStatus) => boolean {
  const smallest = options.minSize ?? 0;
  const largest = options.maxSize ?? Number.POSITIVE_INFINITY;
  const since = nanoseconds(options.modifiedSince);
  const before = nanoseconds(options.modifiedBefore);
  return ({ size, modifiedNs }) =>
    size >= smallest &&
    size <= largest &&
    (since === undefined || modifiedNs >= since) &&
    (before === undefined || modifiedNs < before);
}

function nanoseconds(date: Date | undefined): bigint | undefined {
  return date === undefined ? undefined : BigInt(date.getTime()) * 1_000_000n;
}
