/** Pipelines: data moved and reshaped, on schedule. Document: `specs/pipelines.md`. */
import { Elysia } from "elysia";
import type { Config } from "../../config.ts";
import type { Database } from "../../platform/database/connect.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import { hasGoodToken } from "../../platform/identity/bearer.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import { nodeId } from "../../platform/identity/node-id.ts";
import type { Sealer } from "../../platform/identity/sealing.ts";
import { Periodic } from "../../platform/periodic.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Service } from "../../platform/service.ts";
import type { Log } from "../../platform/telemetry/log.ts";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { Systems } from "./connect/registry.ts";
import { Connectors } from "./connectors.ts";
import { expireRuns } from "./expiry.ts";
import { envelope } from "./failures.ts";
import { Airflow } from "./orchestrate/airflow/airflow.ts";
import { Schedule } from "./orchestrate/schedule.ts";
import { Pipelines } from "./pipelines.ts";
import { Projects } from "./projects.ts";
import { connectorRoutes } from "./routes/connectors.ts";
import type { PipelinesParts } from "./routes/parts.ts";
import { pipelineRoutes } from "./routes/pipelines.ts";
import { projectRoutes } from "./routes/projects.ts";
import { triggerRoutes } from "./routes/triggers.ts";
import { RunWorker } from "./run/worker.ts";
import { RunSockets } from "./run-socket.ts";
import { Runs } from "./runs.ts";
import { Triggers } from "./triggers.ts";
import { removeAbandoned } from "./work-directory.ts";

export interface PipelinesOptions {
  config: Config;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
  database: Database;
  topics: Topics;
  sealer: Sealer;
  limiter: Limiter;
  identity: IdentityService;
}

const hour = 3_600_000;
const largestBody = 4 * 1024 * 1024;

export function createPipelines(options: PipelinesOptions): Service {
  const { config, log, now, database, topics, sealer, limiter, identity } = options;
  const { sql } = database;
  const { dataDirectory } = config;
  const { fileRoots, concurrency, retentionDays } = config.pipelines;
  const systems = new Systems({ roots: fileRoots, dataDirectory });
  const connectors = new Connectors(sql, sealer, systems);
  const pipelines = new Pipelines(sql, (endpoint, before) => connectors.sealed(endpoint, before), now);
  const projects = new Projects(sql);
  const runs = new Runs(sql, topics, pipelines);
  const triggers = new Triggers(sql, now);
  const node = nodeId(dataDirectory);
  const worker = new RunWorker({ sql, topics, log, pipelines, connectors, dataDirectory, concurrency, node });
  const settings = config.pipelines.airflow;
  const airflow = settings && new Airflow({ settings, sql, runs, log, now });
  const schedule = new Schedule({ sql, runs, log, now, isAirflows: airflow !== null });
  const expiry = new Periodic(
    hour,
    () => expireRuns(sql, retentionDays),
    (error) => log.warn({ reason: reasonOf(error) }, "old runs could not be removed"),
  );
  const sockets = new RunSockets({
    sessions: identity.sessions,
    topics,
    pipelines,
    runs,
    stateOf: (runId) => worker.stateOf(runId),
    now,
    onError: (error) => log.warn({ reason: reasonOf(error) }, "how runs go could not be told"),
  });
  const { sessions } = identity;
  const parts: PipelinesParts = {
    sessions,
    limiter,
    projects,
    pipelines,
    connectors,
    runs,
    triggers,
    airflow,
  };
  return {
    name: "Pipelines",
    probes: { clickhouse: () => connectors.probe("clickhouse"), llm_gateway: null },
    sealed: [
      { schema: "pipelines", table: "connectors", column: "credentials", type: "text" },
      { schema: "pipelines", table: "versions", column: "definition", type: "jsonb" },
    ],
    prefixes: ["/api/v1/pipelines", "/api/v1/connectors", "/api/v1/projects", "/api/v1/mvp", "/ws/pipeline"],
    envelope,
    bodyLimit: largestBody,
    mayBeLarge: (request) => hasGoodToken(request, sessions),
    routes: new Elysia({ prefix: "/api/v1" })
      .use(projectRoutes(parts))
      .use(pipelineRoutes(parts))
      .use(connectorRoutes(parts))
      .use(triggerRoutes(parts)),
    sockets: [sockets.route],
    async start() {
      await projects.start();
      removeAbandoned(dataDirectory);
      await airflow?.start();
      await worker.start();
      schedule.start();
      expiry.start();
    },
    async stop() {
      await expiry.stop();
      await schedule.stop();
      await airflow?.stop();
      await worker.stop();
    },
  };
}
