/** The Collector's REST routes: parse, call a verb, answer. */
import { Elysia } from "elysia";
import { Failure, notFound, unprocessable } from "../../platform/http/failures.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import type { ApiKeys } from "../../platform/identity/api-keys.ts";
import type { Job, Jobs } from "../../platform/jobs/jobs.ts";
import { type Access, type Caller, type Credentials, credentialsOf } from "./access.ts";
import { jobKind, progressOf, requireJob, resultOf, summaryOf } from "./job-view.ts";
import * as schemas from "./schemas.ts";

export interface CollectorParts {
  access: Access;
  apiKeys: ApiKeys;
  jobs: Jobs;
  limiter: Limiter;
  requests: Requests;
  /** Checks a request against disk and fences and makes a job of it; answers the job's id. */
  start(request: schemas.CollectRequest): Promise<string>;
  /** Stops a job, cleans up after it and forgets it. */
  forget(job: Job): Promise<void>;
}

const limit = {
  rule: { type: "window", limit: 100, seconds: 60 },
  message: "Rate limit exceeded. Please try again later.",
} as const;

/** Failures that any of the routes may answer. */
const failures = {
  401: schemas.failure,
  403: schemas.failure,
  422: schemas.failure,
  429: schemas.failure,
  503: schemas.failure,
};
const jobFailures = { ...failures, 404: schemas.failure };

const tags = ["Collector"];

export function collectorRoutes(parts: CollectorParts) {
  const { access, apiKeys, jobs, limiter, requests } = parts;

  /** Counts the request against whoever sends it; then bad credentials are told. Runs before the body is validated. */
  const guard = (identify: (given: Credentials) => Promise<Caller | Failure>) =>
    new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
      const from = requests.of(request);
      const caller = await identify(credentialsOf(request, from));
      const name = caller instanceof Failure ? `address:${from.address}` : caller.name;
      await limiter.count(() => `collector:${name}`, limit, set.headers);
      if (caller instanceof Failure) throw caller;
      return {};
    });

  const collecting = new Elysia({ tags })
    .use(guard((given) => access.identify(given)))
    .post("/collect", async ({ body }) => ({ job_id: await parts.start(body), status: "started" as const }), {
      body: schemas.collectRequest,
      response: { 200: schemas.started, 400: schemas.failure, ...failures },
      detail: {
        summary: "Start collecting files",
        description: "Answers at once; the job goes on by itself.",
      },
    })
    .get(
      "/progress/:job_id",
      async ({ params }) => {
        const job = await requireJob(jobs, params.job_id);
        return { job_id: job.id, ...progressOf(job) };
      },
      {
        params: schemas.jobPath,
        response: { 200: schemas.progress, ...jobFailures },
        detail: { summary: "Progress of a job" },
      },
    )
    .get(
      "/result/:job_id",
      async ({ params, status }) => {
        const job = await requireJob(jobs, params.job_id);
        if (job.status === "pending" || job.status === "running")
          return status(202, { detail: "Job is still pending. Please wait for completion." });
        return { job_id: job.id, ...resultOf(job) };
      },
      {
        params: schemas.jobPath,
        response: { 200: schemas.result, 202: schemas.failure, ...jobFailures },
        detail: { summary: "Result of a job", description: "202 until the job is over." },
      },
    )
    .delete(
      "/job/:job_id",
      async ({ params }) => {
        await parts.forget(await requireJob(jobs, params.job_id));
        return { status: "cancelled" as const };
      },
      {
        params: schemas.jobPath,
        response: { 200: schemas.cancelled, ...jobFailures },
        detail: { summary: "Cancel and forget a job", description: "Answers once the work has stopped." },
      },
    )
    .get(
      "/jobs",
      async ({ query }) => {
        const { limit, offset, status } = query;
        const found = await jobs.list({ kind: jobKind, ...(status ? { status } : {}) }, { limit, offset });
        return { total: found.total, jobs: found.jobs.map(summaryOf) };
      },
      {
        query: schemas.jobListQuery,
        response: { 200: schemas.jobList, ...failures },
        detail: { summary: "List jobs, newest first" },
      },
    )
    .get("/collect", sourcePathsMissing, {
      response: failures,
      detail: {
        summary: "Availability check",
        description: "Answers 422: the service is there, the body is missing.",
      },
    });

  const minting = new Elysia({ prefix: "/auth", tags })
    .use(guard((given) => access.identifyMinter(given)))
    .post(
      "/api-key",
      async ({ body }) => ({
        name: body.name,
        api_key: await apiKeys.mint(body.name),
        message: "Save this API key securely. It will not be shown again.",
      }),
      {
        body: schemas.apiKeyRequest,
        response: { 200: schemas.apiKey, 409: schemas.failure, ...failures },
        detail: { summary: "Make an API key" },
      },
    )
    .get(
      "/api-key",
      async () =>
        (await apiKeys.list()).map(({ name, createdAt }) => ({ name, created_at: createdAt.toISOString() })),
      { response: { 200: schemas.apiKeyList, ...failures }, detail: { summary: "List API keys" } },
    )
    .delete(
      "/api-key/:name",
      async ({ params, set }) => {
        if (!(await apiKeys.revoke(params.name))) throw notFound("API key not found");
        set.status = 204;
      },
      { response: { 404: schemas.failure, ...failures }, detail: { summary: "Revoke an API key" } },
    )
    .post(
      "/token",
      async ({ body }) => ({
        access_token: await access.mintToken(body.user_id, body.expires_in),
        token_type: "bearer" as const,
        expires_in: body.expires_in,
        user_id: body.user_id,
      }),
      {
        body: schemas.tokenRequest,
        response: { 200: schemas.token, ...failures },
        detail: { summary: "Make a token for the Collector" },
      },
    );

  return new Elysia({ prefix: "/api/v1" }).use(collecting).use(minting);
}

/** The document's availability check (section 2.2): always this answer. */
function sourcePathsMissing(): never {
  const problem = { path: ["body", "source_paths"], message: "field required", type: "value_error.missing" };
  throw unprocessable("Validation error", { problems: [problem] });
}
