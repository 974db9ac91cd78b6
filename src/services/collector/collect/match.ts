import { RE2JS } from "re2js";
import { unprocessable } from "../../../platform/http/failures.ts";
import type { Pattern } from "./options.ts";

/** Tells which files a list of patterns means. */
export interface Matcher {
  /**
   * Whether any pattern matches a file. `path` is absolute, `relative` is the path below its source (the base name for
   * a source that is a file). A glob without `/` is held against the base name, any other against `relative`; a
   * regular expression is searched in `path`, in time linear in its length.
   */
  matches(path: string, relative: string): boolean;
  /** As `matches`, globs only: for leaving out a directory with everything below it. */
  matchesByGlob(relative: string): boolean;
}

/** Compiles patterns once for many files. An empty list matches nothing. Fails with Unprocessable for a regular expression that is none. */
export function compileMatcher(patterns: readonly Pattern[]): Matcher {
  const globs = patterns.filter(({ type }) => type === "glob").map(({ pattern }) => compileGlob(pattern));
  const regexes = patterns.filter(({ type }) => type === "regex").map(({ pattern }) => compileRegex(pattern));
  const matchesByGlob = (relative: string) => globs.some((glob) => glob(relative));
  return {
    matchesByGlob,
    matches: (path, relative) => matchesByGlob(relative) || regexes.some((regex) => regex.test(path)),
  };
}

function compileRegex(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw unprocessable(`Invalid regex pattern: '${pattern}'. Error: ${reason}`);
  }
}

function compileGlob(pattern: string): (relative: string) => boolean {
  const glob = new Bun.Glob(pattern);
  if (pattern.includes("/")) return (relative) => glob.match(relative);
  return (relative) => glob.match(relative.slice(relative.lastIndexOf("/") + 1));
}
