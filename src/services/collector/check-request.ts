/** What is found out about a request before it becomes a job. */
import { checkSources } from "./collect/checks.ts";
import { checkSpace, surveySources } from "./collect/survey.ts";
import { collectOptions, type Fences } from "./collect-options.ts";
import type { CollectRequest } from "./schemas.ts";

/** How long the client waits while its files are counted; a larger tree is started without knowing its size. */
const surveyMilliseconds = 2_000;

/**
 * Checks paths, patterns and space. Fails with `invalid` or `forbidden` and the document's texts: sources that do not exist, paths
 * outside the fences, too little room.
 */
export async function checkRequest(request: CollectRequest, fences: Fences): Promise<void> {
  const options = collectOptions({ ...request, archive_only: false }, crypto.randomUUID(), fences);
  await checkSources(options);
  if (request.dry_run) return;
  const signal = AbortSignal.timeout(2 * surveyMilliseconds);
  checkSpace(await surveySources(options, { signal, deadlineMs: surveyMilliseconds }));
}
