/** Accounts: who the users are. Documents: `specs/accounts.md`, and the accounts' part of `specs/pipelines.md`. */
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Config } from "../../config.ts";
import { bothEnvelope } from "../../platform/http/envelopes.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Service } from "../../platform/service.ts";
import { EchoSockets } from "./echo-socket.ts";
import { accountsRoutes } from "./routes.ts";

export interface AccountsServiceOptions {
  config: Config;
  /** Now, in milliseconds. */
  now: () => number;
  orm: PostgresJsDatabase;
  topics: Topics;
  limiter: Limiter;
  requests: Requests;
  identity: IdentityService;
}

export function createAccounts(options: AccountsServiceOptions): Service {
  const { config, now, orm, topics, limiter, requests, identity } = options;
  const sockets = new EchoSockets({ sessions: identity.sessions, topics, now });
  return {
    name: "Accounts",
    prefixes: ["/api/v1/auth", "/api/v1/users", "/api/v1/ws"],
    envelope: bothEnvelope,
    bodyLimit: 64 * 1024,
    formPaths: ["/api/v1/auth/login"],
    routes: accountsRoutes({ identity, orm, limiter, requests, registration: config.registration }),
    sockets: [sockets.route],
    async start() {
      sockets.start();
    },
    async stop() {},
  };
}
