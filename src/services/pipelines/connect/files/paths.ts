/** Which file is meant, and whether it may be. */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, isAbsolute, join, sep } from "node:path";
import { ConnectorError } from "../connector.ts";

const formats = {
  csv: "csv",
  tsv: "tsv",
  json: "json",
  ndjson: "ndjson",
  jsonl: "ndjson",
  parquet: "parquet",
} as const;

export type FileFormat = (typeof formats)[keyof typeof formats];

/** The format that is asked for, else that of the name's ending. Throws ConnectorError. */
export function formatOf(path: string, asked: unknown): FileFormat {
  const name = typeof asked === "string" ? asked.toLowerCase() : extname(path).slice(1).toLowerCase();
  if (Object.hasOwn(formats, name)) return formats[name as keyof typeof formats];
  throw new ConnectorError(
    "unsupported",
    `files of format "${name}" are not supported: ${Object.keys(formats).join(", ")}`,
  );
}

/** Where files may be: the directories that exist, with links followed. */
export function realRoots(roots: readonly string[]): string[] {
  return roots.flatMap((root) => {
    try {
      return [realpathSync(root)];
    } catch {
      return [];
    }
  });
}

const isInside = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep));

/**
 * The real path of a file that is to be read, or that is to be written and need not exist yet. Relative paths begin at `base`. Throws ConnectorError when a link or `..`
 * leads out of all roots, and for what is no file.
 */
export function resolveFile(
  path: string,
  base: string | undefined,
  roots: readonly string[],
  isTarget = false,
): string {
  const start = base ?? roots[0];
  if (!isAbsolute(path) && start === undefined) throw outside(path);
  const asked = isAbsolute(path) ? path : join(start ?? sep, path);
  const real = realPath(asked);
  if (real === null) {
    const directory = dirname(asked);
    const there = realPath(directory);
    if (isTarget && there !== null && isInside(there, roots)) return join(there, basename(asked));
    // Whether something is there is told only of places that may be looked at.
    if (isInside(nearest(directory), roots)) throw new ConnectorError("notFound", `there is no file ${path}`);
    throw outside(path);
  }
  if (!isInside(real, roots)) throw outside(path);
  if (!statSync(real).isFile()) throw new ConnectorError("notFound", `${path} is not a file`);
  return real;
}

/** Null where nothing is, or nothing that may be seen. */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** The real path of the deepest directory above that is there. */
function nearest(directory: string): string {
  const real = realPath(directory);
  return real ?? (directory === dirname(directory) ? directory : nearest(dirname(directory)));
}

const outside = (path: string) =>
  new ConnectorError("refused", `${path} is outside the directories whose files may be used`);
