/** The composition root: from settings to a listening server, and back in reverse. */
import type { Server } from "bun";
import type { AnyElysia } from "elysia";
import type { Config } from "./config.ts";
import { removeOldAssets, unpackAssets } from "./platform/assets/assets.ts";
import { holdDataDirectory } from "./platform/data-directory.ts";
import { openMigrated } from "./platform/database/open.ts";
import { parseCidrs } from "./platform/http/address.ts";
import { createApp } from "./platform/http/app.ts";
import { Limiter } from "./platform/http/limiter.ts";
import { memoryStore } from "./platform/http/limits.ts";
import { listen } from "./platform/http/listener.ts";
import { platformRoutes } from "./platform/http/platform-routes.ts";
import { redisStore } from "./platform/http/redis-limits.ts";
import { Requests } from "./platform/http/requests.ts";
import { ApiKeys } from "./platform/identity/api-keys.ts";
import { IdentityService } from "./platform/identity/identity.ts";
import { nodeId } from "./platform/identity/node-id.ts";
import { requireKey, resealAll } from "./platform/identity/resealing.ts";
import { sealerOf } from "./platform/identity/sealing.ts";
import { ownSecret } from "./platform/identity/secrets.ts";
import { Tokens } from "./platform/identity/tokens.ts";
import { Jobs } from "./platform/jobs/jobs.ts";
import { NotifyTransport } from "./platform/realtime/notify-transport.ts";
import { RedisTransport } from "./platform/realtime/redis-transport.ts";
import { type Connection, Publisher, Sockets } from "./platform/realtime/sockets.ts";
import { Topics } from "./platform/realtime/topics.ts";
import { createLog, type Log } from "./platform/telemetry/log.ts";
import { reasonOf, StartupError } from "./platform/telemetry/startup-error.ts";
import { createAccounts } from "./services/accounts/service.ts";
import { createCollector } from "./services/collector/service.ts";
import { createLogger } from "./services/logger/service.ts";
import { createMessenger } from "./services/messenger/service.ts";
import { createPipelines } from "./services/pipelines/service.ts";

/** A running server. */
export interface Quintet {
  /** Where it listens, for example `http://127.0.0.1:8000/`. */
  url: URL;
  log: Log;
  /** Process id of the embedded database, null when it is external. */
  databasePid(): number | null;
  /** Stops taking requests, gives jobs back, closes the database. Safe to call once. */
  stop(): Promise<void>;
}

const rateLimitKeys = 100_000;
const finishMilliseconds = 3_000;

/** Undoes what was done so far, in reverse order; one failing step does not keep the others from running. */
class Cleanup {
  private readonly steps: (() => void | Promise<void>)[] = [];

  add(step: () => void | Promise<void>): void {
    this.steps.push(step);
  }

  async run(log: Log): Promise<void> {
    for (const step of this.steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error({ reason: reasonOf(error) }, "a part did not stop cleanly");
      }
    }
  }
}

/** Starts a server. Throws StartupError, with everything undone, when it cannot. */
export async function startServer(config: Config): Promise<Quintet> {
  const log = createLog(config.logLevel);
  const cleanup = new Cleanup();
  try {
    return await assemble(config, log, cleanup);
  } catch (error) {
    await cleanup.run(log);
    if (isSystemError(error))
      throw new StartupError(`cannot start: ${reasonOf(error)} (${error.path ?? config.dataDirectory})`);
    throw error;
  }
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "code" in error;

async function assemble(config: Config, log: Log, cleanup: Cleanup): Promise<Quintet> {
  const now = Date.now;
  const held = holdDataDirectory(config.dataDirectory);
  cleanup.add(() => held.release());
  const runtime = await unpackAssets(config.dataDirectory);
  const database = await openMigrated(config, runtime, log);
  cleanup.add(() => database.close());
  removeOldAssets(runtime);

  const topics = new Topics(new NotifyTransport(database.sql), log);
  await topics.start();
  cleanup.add(() => topics.stop());
  const apiKeys = new ApiKeys(database.orm, topics);
  apiKeys.start();
  const jobs = new Jobs(database.orm, topics, log, nodeId(config.dataDirectory));
  const requests = new Requests(parseCidrs(config.trustedProxies));
  const redis = config.redisUrl ? redisStore(config.redisUrl, { maxKeys: rateLimitKeys, log }) : null;
  if (redis) cleanup.add(() => redis.close());
  const limiter = new Limiter(
    config.rateLimits ? (redis ?? memoryStore({ maxKeys: rateLimitKeys })) : null,
    now,
  );
  const tokenKey = config.jwtSecret
    ? Buffer.from(config.jwtSecret)
    : ownSecret(config.dataDirectory, "jwt.key");

  const sealer = sealerOf(config);
  await requireKey(database.sql, sealer);

  const previousKey = config.jwtSecretPrevious ? Buffer.from(config.jwtSecretPrevious) : null;
  const tokens = new Tokens({ key: tokenKey, previous: previousKey, now });
  const { passwordPolicy: policy, admin } = config;
  const identity = new IdentityService({ orm: database.orm, topics, tokens, log, now, policy, admin });
  await identity.start();
  cleanup.add(() => identity.stop());

  const publisher = new Publisher();
  // Messages are told to other instances by Redis where there is one; what must not be missed, such as the end of a session, never is.
  const relay = config.redisUrl ? new Topics(new RedisTransport(config.redisUrl, log), log) : topics;
  if (relay !== topics) {
    await relay.start();
    cleanup.add(() => relay.stop());
  }
  const services = [
    createCollector({ config, log, jobs, topics, apiKeys, sealer, limiter, requests, identity }),
    createAccounts({ config, now, orm: database.orm, topics, limiter, requests, identity }),
    createLogger({ config, log, now, database, topics, sealer, limiter, requests, identity }),
    createMessenger({ config, log, now, database, topics: relay, publisher, requests, identity, tokenKey }),
    createPipelines({ config, log, now, database, topics, sealer, limiter, identity }),
  ];

  if (sealer.isRotating) {
    const resealed = await resealAll(
      database.sql,
      sealer,
      services.flatMap(({ sealed }) => sealed ?? []),
    );
    if (resealed > 0) log.info({ rows: resealed }, "secrets are sealed under the new key");
  }
  for (const service of services) {
    await service.start();
    cleanup.add(() => service.stop());
  }
  await jobs.start();
  cleanup.add(() => jobs.stop());

  const sockets = new Sockets(services.flatMap((service) => service.sockets));
  const probes = Object.assign({}, ...services.map((service) => service.probes ?? {}));
  const platform = platformRoutes({
    app: () => app,
    config,
    runtime,
    limiter,
    requests,
    database,
    redis,
    probes,
    log,
  });
  const app: AnyElysia = createApp({ services, sockets, requests, log }, platform);
  const server = listen({ host: config.host, port: config.port, app, sockets, requests, log });
  publisher.bind(server);
  cleanup.add(() => closeServer(server));
  cleanup.add(() => {
    for (const service of services) service.disconnect?.();
  });
  return {
    url: server.url,
    log,
    databasePid: () => database.embedded?.pid() ?? null,
    stop: () => cleanup.run(log),
  };
}

/** Requests under way may finish within a few seconds; sockets and whatever takes longer are cut. */
async function closeServer(server: Server<Connection>): Promise<void> {
  const finished = server.stop(false);
  await Promise.race([finished, Bun.sleep(finishMilliseconds)]);
  await server.stop(true);
}
