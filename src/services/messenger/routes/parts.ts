/** What the routes work with, and the guard that most of them stand behind. */

import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { Elysia } from "elysia";
import type { Sql } from "postgres";
import type { Requests } from "../../../platform/http/requests.ts";
import { authenticate } from "../../../platform/identity/bearer.ts";
import type { IdentityService } from "../../../platform/identity/identity.ts";
import type { Identity } from "../../../platform/identity/sessions.ts";
import { failure } from "../envelope.ts";
import type { Hub } from "../live/hub.ts";
import type { Presence } from "../live/presence.ts";
import type { History } from "../messages/history.ts";
import type { ImageLinks } from "../messages/images.ts";
import type { Messages } from "../messages/messages.ts";
import * as schemas from "../schemas.ts";

export interface MessengerParts {
  sql: Sql;
  orm: PostgresJsDatabase;
  identity: IdentityService;
  requests: Requests;
  registration: "open" | "closed";
  presence: Presence;
  hub: Hub;
  history: History;
  messages: Messages;
  links: ImageLinks;
  /** Now, in milliseconds. */
  now: () => number;
}

export const tags = ["Messenger"];

/** Failures that any of the routes may answer. */
export const failures = { 400: schemas.failure, 500: schemas.failure, 503: schemas.failure };
export const guarded = { ...failures, 401: schemas.failure };

/** The caller; a token that is more than half spent is followed by a fresh one in `X-Access-Token`. */
export async function identified(
  { identity }: MessengerParts,
  request: Request,
  headers: object,
): Promise<Identity> {
  const caller = await authenticate(request, identity.sessions);
  const renewed = caller.surface === "messenger" ? await identity.grants.renew(caller) : null;
  if (renewed !== null) Object.assign(headers, { "x-access-token": renewed });
  return caller;
}

/** For every route but those that anybody may use. */
export const members = (parts: MessengerParts) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, set }) => ({
    caller: await identified(parts, request, set.headers),
  }));

export const administrators = (parts: MessengerParts) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
    const caller = await identified(parts, request, set.headers);
    if (caller.account.role !== "admin") throw failure("AUTH_004");
    return { caller };
  });

const largestId = 2_147_483_647;

/** The number of a path's `1` or `user_1`. Fails with `VAL_001`, or `USER_001` for one that nobody can have. */
export function accountIdOf(text: string): number {
  const digits = /^(?:user_)?(\d+)$/.exec(text)?.[1];
  if (digits === undefined) throw failure("VAL_001", "user_id: ожидается целое число");
  if (Number(digits) > largestId) throw failure("USER_001");
  return Number(digits);
}
