import { realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { forbidden, invalid } from "../../../platform/http/failures.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import { compileMatcher } from "./match.ts";
import type { CollectOptions } from "./options.ts";
import { isWithin } from "./roots.ts";

/**
 * Checks everything about a collection that is known before it starts. Fails with Unprocessable for a bad pattern;
 * with Invalid for a relative path, a source that does not exist, a target that is not a directory or is a source
 * itself; with Forbidden for paths outside the fences or within the server's own data.
 */
export async function checkSources(options: CollectOptions): Promise<void> {
  compileMatcher([...options.patterns, ...options.exclude]);
  const target = await checkTarget(options);
  for (const source of options.sources) {
    const real = await checkSource(source, options);
    if (real === target) throw invalid(`Target path is a source path: ${options.target}`);
  }
}

async function checkSource(source: string, options: CollectOptions): Promise<string> {
  if (!isAbsolute(source)) throw invalid(`Source path is not absolute: ${source}`);
  const real = await existing(source);
  if (real === undefined) throw invalid(`Source path does not exist: ${source}`);
  if (!isAllowed(real, options.forbidden, options.allowedSources)) {
    throw forbidden(`Source path is not allowed: ${source}`);
  }
  const status = await stat(real);
  if (status.isFile() || status.isDirectory()) return real;
  throw invalid(`Source path is neither a file nor a directory: ${source}`);
}

async function checkTarget({ target, ...options }: CollectOptions): Promise<string> {
  if (!isAbsolute(target)) throw invalid(`Target path is not absolute: ${target}`);
  const { real, isDirectory } = await resolveFuture(target);
  if (!isDirectory) throw invalid(`Target path is not a directory: ${target}`);
  if (!isAllowed(real, options.forbidden, options.allowedTargets)) {
    throw forbidden(`Target path is not allowed: ${target}`);
  }
  return real;
}

function isAllowed(real: string, kept: readonly string[], fences: readonly string[] | undefined): boolean {
  if (kept.some((directory) => isWithin(real, directory))) return false;
  return fences === undefined || fences.some((fence) => isWithin(real, fence));
}

/** Where a path that may not exist yet will be: the nearest directory above it that exists, resolved, and the rest. */
async function resolveFuture(path: string): Promise<{ real: string; isDirectory: boolean }> {
  const normal = resolve(path);
  const real = await existing(normal);
  if (real !== undefined) return { real, isDirectory: (await stat(real)).isDirectory() };
  const parent = await resolveFuture(dirname(normal));
  return { ...parent, real: resolve(parent.real, normal.slice(dirname(normal).length).replace(/^\//, "")) };
}

async function existing(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EINVAL") return undefined;
    if (code === "EACCES") throw invalid(`Permission denied: ${path}`);
    if (code === "ELOOP" || code === "ENAMETOOLONG") return undefined;
    throw error;
  }
}
