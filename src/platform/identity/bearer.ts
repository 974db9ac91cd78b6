/** Whose request it is: the Bearer token (RFC 6750) of a header, or of a WebSocket's query. */
import { Failure, unauthenticated } from "../http/failures.ts";
import type { Identity, Sessions } from "./sessions.ts";

/** The token of an `Authorization` header; null when there is none, or none of this kind. */
export function bearerToken(authorization: string | null): string | null {
  if (authorization === null || authorization.length < 8) return null;
  return authorization.slice(0, 7).toLowerCase() === "bearer " ? authorization.slice(7).trim() : null;
}

/** Who sends a request. Fails with `unauthenticated` when it carries no good token. */
export function authenticate(request: Request, sessions: Sessions): Identity | Promise<Identity> {
  const token = bearerToken(request.headers.get("authorization"));
  if (token === null)
    throw unauthenticated("Not authenticated", { headers: { "WWW-Authenticate": "Bearer" } });
  const found = sessions.identify(token);
  return found instanceof Promise ? found.then(required) : required(found);
}

/** Whether a request carries a good token, whosever it is. */
export async function hasGoodToken(request: Request, sessions: Sessions): Promise<boolean> {
  const token = bearerToken(request.headers.get("authorization"));
  return token !== null && !((await sessions.identify(token)) instanceof Failure);
}

function required(found: Identity | Failure): Identity {
  if (found instanceof Failure) throw found;
  return found;
}
