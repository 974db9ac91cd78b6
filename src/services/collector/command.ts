/** A collection from the command line: the same engine, without server, queue and database. */
import { resolve } from "node:path";
import { parse } from "../../platform/http/validation.ts";
import { checkRequest } from "./check-request.ts";
import { cleanUp, runRequest } from "./collect-job.ts";
import type { Fences } from "./collect-options.ts";
import { collectRequest, type Results } from "./schemas.ts";

export interface CollectSummary {
  results: Results;
}

export interface CommandRun {
  signal: AbortSignal;
  onProgress(progress: { current: number; total: number; currentFile: string }): void;
}

/** Whoever runs the command may read and write what the system lets them. */
const noFences: Fences = { sources: [], targets: [], dataDirectory: null };

/**
 * Collects once. `given` has the fields of `POST /api/v1/collect`; relative paths are taken from the working directory. Fails with a Failure for a bad
 * request, with an Error that says why when the collection failed; half-written files are gone then.
 */
export async function collectOnce(given: object, run: CommandRun): Promise<CollectSummary> {
  const request = parse(collectRequest, given, "body");
  request.source_paths = request.source_paths.map((path) => resolve(path));
  request.target_path = resolve(request.target_path);
  await checkRequest(request, noFences);
  const id = crypto.randomUUID();
  const results = await runRequest({ id, request, fences: noFences, ...run });
  await cleanUp(request, id, noFences);
  return { results };
}
