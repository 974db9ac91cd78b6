import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { invalid } from "../../../platform/http/failures.ts";
import { errorCode } from "../../../platform/linux/errors.ts";
import { fileSystemFree } from "../../../platform/linux/space.ts";
import { humanBytes } from "../human-bytes.ts";
import type { CollectOptions } from "./options.ts";
import { readPlan } from "./plan.ts";
import { resolveRoots, type SourceRoot, sourcePath } from "./roots.ts";
import { walkInThread } from "./walking.ts";

/** What a collection would do. */
export interface Survey {
  /** Files and symlinks that would be collected, as far as the walk came. */
  files: number;
  bytes: number;
  /** Bytes that the copies will occupy: less than `bytes` where files are sparse. */
  requiredBytes: number;
  /** False when the time was over before the walk. */
  complete: boolean;
  /** Bytes free in the target's file system. */
  availableBytes: number;
  warnings: string[];
}

/** One file of a dry run. `path` is the lossy text of names that are not UTF-8. */
export interface SurveyedFile {
  path: string;
  size: number;
}

/** How long and how far to look. */
export interface SurveyRun {
  signal: AbortSignal;
  /** Milliseconds. */
  deadlineMs: number;
}

/** Counts what a collection would collect; writes nothing. Fails with the signal's reason. */
export async function surveySources(options: CollectOptions, run: SurveyRun): Promise<Survey> {
  const { roots, warnings } = await resolveRoots(options);
  return survey(options, roots, warnings, run, null);
}

/** A survey with its list, for dry runs. The list lies in a temporary file until `close`. */
export interface ListedSurvey extends Survey {
  list(): AsyncIterable<SurveyedFile[]>;
  close(): Promise<void>;
}

/** As {@link surveySources}, keeping the list of files. */
export async function listSources(options: CollectOptions, run: SurveyRun): Promise<ListedSurvey> {
  const { roots, warnings } = await resolveRoots(options);
  const directory = await mkdtemp(join(tmpdir(), "quintet-survey-"));
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    const file = join(directory, "plan");
    const counted = await survey(options, roots, warnings, run, file);
    return { ...counted, close, list: () => listPlan(file, roots) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function survey(
  options: CollectOptions,
  roots: SourceRoot[],
  warnings: string[],
  { signal, deadlineMs }: SurveyRun,
  file: string | null,
): Promise<Survey> {
  const walked = await walkInThread(options, roots, { signal, deadlineMs, file });
  return {
    files: walked.totals.files,
    bytes: walked.totals.bytes,
    requiredBytes: walked.totals.occupied,
    complete: walked.complete,
    availableBytes: await freeAtOrAbove(options.target),
    warnings: [...warnings, ...walked.warnings],
  };
}

async function* listPlan(file: string, roots: readonly SourceRoot[]): AsyncGenerator<SurveyedFile[]> {
  for await (const rows of readPlan(file)) {
    yield rows.flatMap(({ source, type, path, size }) => {
      const root = roots[source];
      if (root === undefined || (type !== "file" && type !== "symlink")) return [];
      return [{ path: sourcePath(root, path).toString(), size }];
    });
  }
}

/** Free bytes where a directory is or will be. */
async function freeAtOrAbove(path: string): Promise<number> {
  try {
    return await fileSystemFree(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" || path === "/") throw error;
    return freeAtOrAbove(dirname(path));
  }
}

/** Fails with Invalid when the target cannot hold what a survey counted. */
export function checkSpace({
  requiredBytes,
  availableBytes,
}: Pick<Survey, "requiredBytes" | "availableBytes">): void {
  if (requiredBytes <= availableBytes) return;
  throw invalid(
    `Insufficient disk space. Required: ${humanBytes(requiredBytes)}, Available: ${humanBytes(availableBytes)}`,
  );
}
