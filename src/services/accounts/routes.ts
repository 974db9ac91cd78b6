/** Accounts' REST routes: parse, call a verb, answer. */
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { Elysia } from "elysia";
import { forbidden } from "../../platform/http/failures.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import { type Actor, auditOf, record } from "../../platform/identity/audit.ts";
import { authenticate } from "../../platform/identity/bearer.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import type { Identity } from "../../platform/identity/sessions.ts";
import { accountId, permittedChanges, requireOwnerOrAdmin } from "./changes.ts";
import * as schemas from "./schemas.ts";
import { meOf, registeredOf, tokensOf, userOf } from "./views.ts";

export interface AccountsParts {
  identity: IdentityService;
  orm: PostgresJsDatabase;
  limiter: Limiter;
  requests: Requests;
  registration: "open" | "closed";
}

const limit = { rule: { type: "bucket", perSecond: 10, burst: 20 }, message: "Too many requests" } as const;

/** Failures that any of the routes may answer. */
const failures = { 422: schemas.failure, 429: schemas.failure, 500: schemas.failure, 503: schemas.failure };
const guarded = { ...failures, 401: schemas.failure, 403: schemas.failure };

const tags = ["Accounts"];

export function accountsRoutes(parts: AccountsParts) {
  const { identity, orm, limiter, requests, registration } = parts;
  const { accounts, sessions, grants, logins } = identity;

  const count = (request: Request, headers: object) =>
    limiter.count(() => `accounts:${requests.of(request).address}`, limit, headers);

  const limited = new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
    await count(request, set.headers);
    return {};
  });

  const authenticated = new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
    const waiting = count(request, set.headers);
    if (waiting) await waiting;
    const caller = authenticate(request, sessions);
    return { caller: caller instanceof Promise ? await caller : caller };
  });

  const actorOf = (request: Request, caller: Identity): Actor => ({
    accountId: caller.account.id,
    address: requests.of(request).address,
  });

  const open = new Elysia({ prefix: "/auth", tags })
    .use(limited)
    .post(
      "/register",
      async ({ body, request, status }) => {
        if (registration === "closed") throw forbidden("Registration is closed");
        const { username, password } = body;
        const given = { username, password, email: body.email ?? null, fullName: body.full_name ?? null };
        const { address } = requests.of(request);
        const account = await accounts.register(given, { accountId: null, address });
        return status(201, registeredOf(account, await grants.begin(account, "accounts")));
      },
      {
        body: schemas.registration,
        response: { 201: schemas.registered, 403: schemas.failure, 409: schemas.failure, ...failures },
        detail: { summary: "Register", description: "The very first account is an administrator." },
      },
    )
    .post(
      "/login",
      async ({ body, request }) => {
        const { address } = requests.of(request);
        const { grant } = await logins.logIn({ ...body, address, surface: "accounts", lock: "pair" });
        return tokensOf(grant);
      },
      {
        body: schemas.credentials,
        response: { 200: schemas.tokens, 401: schemas.failure, ...failures },
        detail: { summary: "Log in", description: "As JSON or as a form." },
      },
    )
    .post(
      "/refresh",
      async ({ body, request }) => {
        const { address } = requests.of(request);
        const grant = await grants.refresh(body.refresh_token, async ({ id, username }) => {
          const actor = { accountId: null, address };
          await record(orm, { event: "token_reused", accountId: id, username, actor });
        });
        return tokensOf(grant);
      },
      {
        body: schemas.refreshRequest,
        response: { 200: schemas.tokens, 401: schemas.failure, ...failures },
        detail: {
          summary: "Exchange a refresh token",
          description: "Each is good once: the second use of one ends its session.",
        },
      },
    );

  const closing = new Elysia({ prefix: "/auth", tags }).use(authenticated).post(
    "/logout",
    async ({ caller, request, set }) => {
      await sessions.end(caller.sessionId);
      const { id, username } = caller.account;
      await record(orm, { event: "logout", accountId: id, username, actor: actorOf(request, caller) });
      set.status = 204;
    },
    { response: guarded, detail: { summary: "Log out" } },
  );

  const users = new Elysia({ prefix: "/users", tags })
    .use(authenticated)
    .get("/", async ({ query }) => (await accounts.list(query)).map(userOf), {
      query: schemas.listQuery,
      response: { 200: schemas.users, ...guarded },
      detail: { summary: "List users" },
    })
    .get("/me", ({ caller }) => meOf(caller.account), {
      response: { 200: schemas.me, ...guarded },
      detail: { summary: "Who I am" },
    })
    .get("/:user_id", async ({ params }) => userOf(await accounts.find(accountId(params.user_id))), {
      params: schemas.userPath,
      response: { 200: schemas.user, 404: schemas.failure, ...guarded },
      detail: { summary: "One user", description: "By `1` or `user_1`." },
    })
    .put(
      "/:user_id",
      async ({ params, body, caller, request }) => {
        const id = accountId(params.user_id);
        requireOwnerOrAdmin(caller.account, id);
        const changes = permittedChanges(body, await accounts.find(id), caller.account);
        const keep = id === caller.account.id ? caller.sessionId : null;
        return userOf(await accounts.update(id, changes, actorOf(request, caller), keep));
      },
      {
        params: schemas.userPath,
        body: schemas.changes,
        response: {
          200: schemas.user,
          400: schemas.failure,
          404: schemas.failure,
          409: schemas.failure,
          ...guarded,
        },
        detail: {
          summary: "Change a user",
          description: "A new password ends the user's sessions, except the one that set it.",
        },
      },
    )
    .delete(
      "/:user_id",
      async ({ params, caller, request }) => {
        const id = accountId(params.user_id);
        requireOwnerOrAdmin(caller.account, id);
        await accounts.remove(id, actorOf(request, caller));
        return { message: "User deleted successfully" as const };
      },
      {
        params: schemas.userPath,
        response: { 200: schemas.deleted, 404: schemas.failure, 409: schemas.failure, ...guarded },
        detail: { summary: "Delete a user" },
      },
    )
    .get(
      "/:user_id/audit",
      async ({ params, query, caller }) => {
        const id = accountId(params.user_id);
        if (caller.account.role !== "admin") throw forbidden("Not enough permissions");
        const trail = await auditOf(orm, id, query);
        return trail.map(({ at, event, actorId, username, address, details }) => ({
          at: at.toISOString(),
          event,
          actor_id: actorId,
          username,
          address,
          details: details as Record<string, unknown> | null,
        }));
      },
      {
        params: schemas.userPath,
        query: schemas.listQuery,
        response: { 200: schemas.auditTrail, 404: schemas.failure, ...guarded },
        detail: { summary: "What happened to a user", description: "For administrators, newest first." },
      },
    );

  return new Elysia({ prefix: "/api/v1" }).use(open).use(closing).use(users);
}
