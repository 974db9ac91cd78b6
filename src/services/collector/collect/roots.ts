import { realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type CollectOptions, removesSources } from "./options.ts";

/**
 * Where a source really is. Paths that the file system gave are kept as latin1 strings: one character per byte, so that
 * names which are not UTF-8 survive JSON and messages between threads.
 */
export interface SourceRoot {
  /** As the user wrote it, without trailing slashes. */
  given: string;
  /** The directory that is opened: the source itself, or what holds it when it is a file. latin1. */
  directory: string;
  /** Identity of `directory`, checked by every thread that opens it. Decimal. */
  device: string;
  inode: string;
  /** The name in `directory` when the source is a file; null for a directory. latin1. */
  entry: string | null;
  /** Top directory (or file name) in the target; empty for a single directory, whose content lies in the target. latin1. */
  top: string;
}

/** The sources as found, and what to tell the user about them. */
export interface ResolvedRoots {
  roots: SourceRoot[];
  warnings: string[];
}

/**
 * Resolves symlinks in the sources and gives each its place in the target: a single directory's content goes straight
 * into it, otherwise each source keeps its base name, `-2`, `-3`… where two are equal. When sources are to be removed, one
 * that lies within another is left out with a warning, so that no file is collected twice. Fails with ENOENT and the
 * like.
 */
export async function resolveRoots(options: CollectOptions): Promise<ResolvedRoots> {
  const found = await Promise.all(options.sources.map((source) => resolveSource(source)));
  const single = found.length === 1 && found[0]?.entry === null;
  const taken = new Set<string>();
  const roots = found.map((root) => ({ ...root, top: single ? "" : claimName(root.given, taken) }));
  if (!removesSources(options.mode)) return { roots, warnings: [] };
  const kept = roots.filter((root, index) => !isWithinAnother(root, index, roots));
  const warnings = roots
    .filter((root) => !kept.includes(root))
    .map(({ given }) => `${given} lies within another source and is collected with it`);
  return { roots: kept, warnings };
}

async function resolveSource(source: string): Promise<Omit<SourceRoot, "top">> {
  const real = (await realpath(source, "buffer")).toString("latin1");
  const given = source.replace(/\/+$/, "") || "/";
  const { isDirectory, path } = await statusOfPath(real);
  const slash = real.lastIndexOf("/");
  const directory = isDirectory ? path : latin1(real.slice(0, slash) || "/");
  const { dev, ino } = await stat(directory, { bigint: true });
  return {
    given,
    directory: directory.toString("latin1"),
    device: dev.toString(),
    inode: ino.toString(),
    entry: isDirectory ? null : real.slice(slash + 1),
  };
}

async function statusOfPath(real: string): Promise<{ isDirectory: boolean; path: Buffer }> {
  const path = latin1(real);
  return { isDirectory: (await stat(path)).isDirectory(), path };
}

function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function claimName(given: string, taken: Set<string>): string {
  const base = Buffer.from(basename(given) || "root").toString("latin1");
  let name = base;
  for (let number = 2; taken.has(name); number++) name = `${base}-${number}`;
  taken.add(name);
  return name;
}

/** Whether an earlier equal source, or any directory that holds this one, is collected too. */
function isWithinAnother(root: SourceRoot, index: number, roots: readonly SourceRoot[]): boolean {
  const path = realPath(root);
  return roots.some((other, at) => {
    const outer = realPath(other);
    if (outer === path) return at < index;
    return other.entry === null && isBelow(path, outer);
  });
}

/** The absolute path of a source with symlinks resolved; latin1. */
export function realPath({ directory, entry }: Pick<SourceRoot, "directory" | "entry">): string {
  return entry === null ? directory : `${directory === "/" ? "" : directory}/${entry}`;
}

/** Whether `path` lies strictly below the directory `outer`; both absolute and resolved. */
export function isBelow(path: string, outer: string): boolean {
  return path.startsWith(outer === "/" ? "/" : `${outer}/`) && path !== outer;
}

/** Whether `path` is the directory `outer` or lies below it. */
export function isWithin(path: string, outer: string): boolean {
  return path === outer || isBelow(path, outer);
}

/** Absolute path of a file as the user would write it: the given source and the bytes below it. */
export function sourcePath(root: SourceRoot, path: Buffer): Buffer {
  const given = Buffer.from(root.given === "/" ? "" : root.given);
  if (root.entry !== null || path.length === 0) return Buffer.from(root.given);
  return Buffer.concat([given, Buffer.from("/"), path]);
}

/** Planned path of a file below the target, before any clash of names. */
export function targetPath(root: SourceRoot, path: Buffer): Buffer {
  const top = Buffer.from(root.top, "latin1");
  if (root.entry !== null || path.length === 0) return top;
  return top.length === 0 ? path : Buffer.concat([top, Buffer.from("/"), path]);
}
