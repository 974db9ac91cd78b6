/** The platform's own routes: health and documentation, within the limit of the accounts document. */
import cors from "@elysiajs/cors";
import { type AnyElysia, Elysia } from "elysia";
import type { Config } from "../../config.ts";
import { version } from "../../version.ts";
import type { Runtime } from "../assets/assets.ts";
import type { Database } from "../database/connect.ts";
import { healthRoutes, type Probe } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import { docsRoutes } from "./docs.ts";
import type { Limiter } from "./limiter.ts";
import type { Requests } from "./requests.ts";

export interface PlatformParts {
  /** The whole app, for its documentation; asked for once it is built. */
  app(): AnyElysia;
  config: Config;
  runtime: Runtime;
  limiter: Limiter;
  requests: Requests;
  database: Database;
  redis: { ping(): Promise<void> } | null;
  /** What services depend on. */
  probes: Record<string, Probe>;
  log: Log;
}

const limit = { rule: { type: "bucket", perSecond: 30, burst: 20 }, message: "Too many requests" } as const;

const description = "One executable that gives a closed network its back office.";

export function platformRoutes(parts: PlatformParts) {
  const { app, config, runtime, limiter, requests, database, redis, probes, log } = parts;
  const limited = new Elysia()
    .derive({ as: "scoped" }, async ({ request, set }) => {
      await limiter.count(() => `platform:${requests.of(request).address}`, limit, set.headers);
      return {};
    })
    .use(
      healthRoutes({
        probes: {
          database: () => database.sql`select 1`,
          redis: redis && (() => redis.ping()),
          ...probes,
        },
        version,
        onFault: (component, error) =>
          log.warn({ component, reason: reasonOf(error) }, "a component is not well"),
      }),
    )
    .use(docsRoutes({ assetsDirectory: runtime.documentation, title: "Quintet", version, description, app }));
  const routes = new Elysia();
  // Nothing is granted to other origins unless the administrator names them: no web page may collect files.
  if (config.corsOrigins.length > 0) routes.use(cors({ origin: config.corsOrigins, exposeHeaders: exposed }));
  return routes.use(limited);
}

const exposed = [
  "X-Request-Id",
  "X-RateLimit-Limit",
  "X-RateLimit-Remaining",
  "X-RateLimit-Reset",
  "Retry-After",
  "X-Access-Token",
];
