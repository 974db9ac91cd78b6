/** From a request, as the document words it, to what the collecting engine takes. */
import { join } from "node:path";
import type { CollectMode, CollectOptions, Pattern } from "./collect/options.ts";
import type { CollectRequest } from "./schemas.ts";

/** What may be read and written. Empty lists: anything but the server's own data. */
export interface Fences {
  sources: string[];
  targets: string[];
  /** The server's data directory; null on the command line, where there is none. */
  dataDirectory: string | null;
}

type RequestPattern = NonNullable<CollectRequest["patterns"]>[number];

function patternsOf(patterns: RequestPattern[] | null | undefined, fallback: Pattern["type"]): Pattern[] {
  return (patterns ?? []).map((pattern) =>
    typeof pattern === "string"
      ? { pattern, type: fallback }
      : { pattern: pattern.pattern, type: pattern.pattern_type ?? fallback },
  );
}

/** Where the copies of a job lie that leaves only an archive. */
const stagingDirectory = (request: CollectRequest, jobId: string): string =>
  join(request.target_path, `.quintet-${jobId}-files`);

/**
 * Sources of an archive alone are safe only when the archive is: nothing is removed before, so `move_remove` removes all at once,
 * as `move` does.
 */
const modeOf = (request: CollectRequest): CollectMode =>
  request.archive_only && request.operation_mode === "move_remove" ? "move" : request.operation_mode;

/** The engine's options for a job. */
export function collectOptions(request: CollectRequest, jobId: string, fences: Fences): CollectOptions {
  const fallback = request.pattern_type ?? "glob";
  return {
    jobId,
    sources: request.source_paths,
    target: request.archive_only ? stagingDirectory(request, jobId) : request.target_path,
    patterns: patternsOf(request.patterns, fallback),
    exclude: patternsOf(request.exclude, fallback),
    mode: modeOf(request),
    forbidden: fences.dataDirectory === null ? [] : [fences.dataDirectory],
    ...(typeof request.min_size === "number" ? { minSize: request.min_size } : {}),
    ...(typeof request.max_size === "number" ? { maxSize: request.max_size } : {}),
    ...(request.modified_since ? { modifiedSince: new Date(request.modified_since) } : {}),
    ...(request.modified_before ? { modifiedBefore: new Date(request.modified_before) } : {}),
    ...(fences.sources.length > 0 ? { allowedSources: fences.sources } : {}),
    ...(fences.targets.length > 0 ? { allowedTargets: fences.targets } : {}),
  };
}
