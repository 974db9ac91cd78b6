/** The Collector: gathers files, archives them, mails them. Document: `specs/collector.md`. */
import { realpathSync } from "node:fs";
import type { Config } from "../../config.ts";
import { detailEnvelope } from "../../platform/http/envelopes.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import type { ApiKeys } from "../../platform/identity/api-keys.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import type { Sealer } from "../../platform/identity/sealing.ts";
import type { Job, Jobs } from "../../platform/jobs/jobs.ts";
import { Periodic } from "../../platform/periodic.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Service } from "../../platform/service.ts";
import type { Log } from "../../platform/telemetry/log.ts";
import { reasonOf, StartupError } from "../../platform/telemetry/startup-error.ts";
import { Access } from "./access.ts";
import { checkRequest } from "./check-request.ts";
import { cleanUp, collectJob } from "./collect-job.ts";
import type { Fences } from "./collect-options.ts";
import { jobKind } from "./job-view.ts";
import { progressSocket } from "./progress-socket.ts";
import { collectorRoutes } from "./routes.ts";
import type { CollectRequest } from "./schemas.ts";

export interface CollectorOptions {
  config: Config;
  log: Log;
  jobs: Jobs;
  topics: Topics;
  apiKeys: ApiKeys;
  sealer: Sealer;
  limiter: Limiter;
  requests: Requests;
  identity: IdentityService;
}

const megabyte = 1024 * 1024;
const expiryMilliseconds = 3_600_000;
/** How many finished jobs are looked at when the server starts. */
const latestJobs = 50;
const paths = [
  "/collect",
  "/progress",
  "/result",
  "/job",
  "/jobs",
  "/auth/api-key",
  "/auth/token",
  "/ws/progress",
];

/** Directories as they are once links are followed. Throws StartupError that names the one that is not there. */
function resolved(setting: string, directories: string[]): string[] {
  return directories.map((directory) => {
    try {
      return realpathSync(directory);
    } catch (error) {
      throw new StartupError(`${setting}: ${directory}: ${reasonOf(error)}`);
    }
  });
}

export function createCollector(options: CollectorOptions): Service {
  const { config, jobs, topics, apiKeys, sealer, limiter, requests, identity, log } = options;
  const { auth, sources, targets, concurrency, attachmentLimit, retentionDays } = config.collector;
  const access = new Access({ mode: auth, apiKeys, tokens: identity.tokens, sessions: identity.sessions });
  const fences: Fences = {
    sources: resolved("COLLECTOR_SOURCES", sources),
    targets: resolved("COLLECTOR_TARGETS", targets),
    dataDirectory: realpathSync(config.dataDirectory),
  };
  const expiry = new Periodic(
    expiryMilliseconds,
    () => jobs.expire(jobKind, retentionDays),
    (error) => log.warn({ reason: reasonOf(error) }, "old jobs could not be forgotten"),
  );

  /** Stores the job. The mail password is sealed before it touches the database. */
  async function start(request: CollectRequest): Promise<string> {
    await checkRequest(request, fences);
    const email = request.email_config;
    const payload = email?.password
      ? { ...request, email_config: { ...email, password: sealer.seal(email.password) } }
      : request;
    return (await jobs.enqueue(jobKind, payload)).id;
  }

  /** Stops a job wherever it runs, removes what it kept for being taken up again, and forgets it. */
  async function forget(job: Job): Promise<void> {
    await jobs.cancel(job.id);
    await cleanUp(job.payload as CollectRequest, job.id, fences);
    await jobs.remove(job.id);
  }

  /** A server that was killed between a job's end and its cleaning up left the job's work directory behind. */
  async function cleanUpFinished(): Promise<void> {
    for (const status of ["completed", "failed"] as const) {
      const { jobs: finished } = await jobs.list({ kind: jobKind, status }, { limit: latestJobs, offset: 0 });
      for (const job of finished) await cleanUp(job.payload as CollectRequest, job.id, fences);
    }
  }

  return {
    name: "Collector",
    sealed: [{ schema: "platform", table: "jobs", column: "payload", type: "jsonb" }],
    prefixes: paths.map((path) => `/api/v1${path}`),
    envelope: detailEnvelope,
    bodyLimit: megabyte,
    routes: collectorRoutes({ access, apiKeys, jobs, limiter, requests, start, forget }),
    sockets: [progressSocket(jobs, access)],
    async start() {
      const openSecret = (sealed: string) => sealer.open(sealed);
      const onEnd = (event: string, id: string) => topics.broadcast(event, { job_id: id });
      jobs.register(collectJob({ fences, concurrency, attachmentLimit, openSecret, onEnd }));
      expiry.start();
      cleanUpFinished().catch((error: unknown) => {
        log.warn({ reason: reasonOf(error) }, "cleaning up after finished jobs failed");
      });
    },
    stop: () => expiry.stop(),
  };
}
