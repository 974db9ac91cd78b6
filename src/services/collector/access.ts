/** Who may collect: the chapter "Who may collect" of the contract. */
import { Failure, forbidden, unauthenticated, unavailable } from "../../platform/http/failures.ts";
import type { ApiKeys } from "../../platform/identity/api-keys.ts";
import { bearerToken } from "../../platform/identity/bearer.ts";
import { isAtLeast } from "../../platform/identity/roles.ts";
import type { Sessions } from "../../platform/identity/sessions.ts";
import type { Tokens } from "../../platform/identity/tokens.ts";

const tokenAudience = "collector";

/** Whose limit a request counts against, and on whose behalf it acts. */
export interface Caller {
  /** `key:<name>`, `token:<user_id>`, `account:<id>` or `address:<address>`. */
  name: string;
  isAdmin?: boolean;
}

/** What a request says of itself. `token` is the WebSocket's `?token=`. */
export interface Credentials {
  apiKey: string | null;
  authorization: string | null;
  token: string | null;
  from: { address: string; local: boolean };
}

export interface AccessOptions {
  mode: "local" | "required" | "off";
  apiKeys: ApiKeys;
  tokens: Tokens;
  sessions: Sessions;
}

const badKey = (): Failure => unauthenticated("Invalid or missing API key");
const badToken = (): Failure => unauthenticated("Invalid or expired token");

export const credentialsOf = (request: Request, from: Credentials["from"]): Credentials => ({
  apiKey: request.headers.get("x-api-key"),
  authorization: request.headers.get("authorization"),
  token: null,
  from,
});

export class Access {
  private readonly options: AccessOptions;

  constructor(options: AccessOptions) {
    this.options = options;
  }

  /**
   * Who sends a request, or the failure that it deserves; never throws for bad credentials, so that they can be counted first.
   * What is given must be right even where nothing is needed.
   */
  async identify(given: Credentials): Promise<Caller | Failure> {
    if (given.authorization !== null || given.token !== null) return await this.byToken(given);
    if (given.apiKey !== null) {
      const name = await this.options.apiKeys.verify(given.apiKey);
      return name === null ? badKey() : { name: `key:${name}` };
    }
    const free = this.options.mode === "off" || (this.options.mode === "local" && given.from.local);
    return free ? { name: `address:${given.from.address}` } : badKey();
  }

  /** A token of ours, or one of an account that may read this machine's files: anybody may register, so the least role is not enough. */
  private async byToken({ authorization, token }: Credentials): Promise<Caller | Failure> {
    const { tokens, sessions } = this.options;
    const text = authorization === null ? token : bearerToken(authorization);
    const claims = text === null ? "invalid" : tokens.verify(text);
    if (text === null || typeof claims === "string") return badToken();
    if (claims.aud === tokenAudience) return { name: `token:${claims.user_id}` };
    const identity = claims.aud === undefined ? await sessions.identify(text) : badToken();
    if (identity instanceof Failure) return badToken();
    const { id, role } = identity.account;
    return isAtLeast(role, "engineer")
      ? { name: `account:${id}`, isAdmin: role === "admin" }
      : forbidden("Not enough permissions");
  }

  /**
   * Who makes, lists or revokes credentials: this machine, which needs no credential for it in any mode, or the first one could never be made;
   * and, from outside, an admin. A credential that is given must be right.
   */
  async identifyMinter(given: Credentials): Promise<Caller | Failure> {
    if (this.options.mode === "off") return unavailable("Authentication not configured");
    const none = given.authorization === null && given.apiKey === null;
    if (none && given.from.local) return { name: `address:${given.from.address}` };
    const caller = await this.identify(given);
    if (caller instanceof Failure || given.from.local || caller.isAdmin) return caller;
    return given.authorization === null ? badKey() : forbidden("Not enough permissions");
  }

  /** A token for `userId`, for the Collector alone: it acts as no account. `expiresIn` in seconds. */
  async mintToken(userId: string, expiresIn: number): Promise<string> {
    return await this.options.tokens.sign({ sub: userId, user_id: userId, aud: tokenAudience }, expiresIn);
  }
}
