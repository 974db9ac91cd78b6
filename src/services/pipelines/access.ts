/** Who may do what: the roles of the document, and its limit by account. */
import { Elysia } from "elysia";
import { forbidden } from "../../platform/http/failures.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import { authenticate } from "../../platform/identity/bearer.ts";
import { isAtLeast, type Role } from "../../platform/identity/roles.ts";
import type { Identity, Sessions } from "../../platform/identity/sessions.ts";

export interface AccessParts {
  sessions: Sessions;
  limiter: Limiter;
}

const limit = {
  rule: { type: "window", limit: 100, seconds: 60 },
  message: "Too many requests",
} as const;

/** Fails with `forbidden` unless the caller's role may do what `role` may. */
export function requireRole({ account }: Identity, role: Role): void {
  if (!isAtLeast(account.role, role)) throw forbidden("Not enough permissions");
}

/** For every route: a good token, within the limit. */
export const authenticated = ({ sessions, limiter }: AccessParts) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
    const caller = await authenticate(request, sessions);
    await limiter.count(() => `pipelines:${caller.account.id}`, limit, set.headers);
    return { caller };
  });
