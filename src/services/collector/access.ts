/** Who may collect: the chapter "Who may collect" of the contract. */
import { type Failure, unauthenticated, unavailable } from "../../platform/http/failures.ts";
import type { ApiKeys } from "../../platform/identity/api-keys.ts";
import { signToken, verifyToken } from "../../platform/identity/tokens.ts";

const tokenAudience = "collector";

/** Whose limit a request counts against, and on whose behalf it acts. */
export interface Caller {
  /** `key:<name>`, `token:<user_id>` or `address:<address>`. */
  name: string;
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
  tokenKey: Buffer;
  /** Now, in milliseconds. */
  now: () => number;
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
    if (given.authorization !== null || given.token !== null) return this.byToken(given);
    if (given.apiKey !== null) {
      const name = await this.options.apiKeys.verify(given.apiKey);
      return name === null ? badKey() : { name: `key:${name}` };
    }
    const free = this.options.mode === "off" || (this.options.mode === "local" && given.from.local);
    return free ? { name: `address:${given.from.address}` } : badKey();
  }

  private byToken({ authorization, token }: Credentials): Caller | Failure {
    const text = authorization === null ? token : (/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? null);
    const claims = text === null ? null : verifyToken(text, this.options.tokenKey, this.seconds());
    if (!claims || (claims.aud !== undefined && claims.aud !== tokenAudience)) return badToken();
    return { name: `token:${claims.user_id}` };
  }

  /**
   * Who makes, lists or revokes credentials: this machine, and nobody from outside. It needs no credential for it in any mode, or the
   * first one could never be made; one that is given must be right.
   */
  async identifyMinter(given: Credentials): Promise<Caller | Failure> {
    if (this.options.mode === "off") return unavailable("Authentication not configured");
    const none = given.authorization === null && given.apiKey === null;
    const caller = none ? { name: `address:${given.from.address}` } : await this.identify(given);
    return given.from.local ? caller : badKey();
  }

  /** A token for `userId`, for the Collector alone: it acts as no account. */
  mintToken(userId: string, expiresIn: number): string {
    const iat = this.seconds();
    const claims = { sub: userId, user_id: userId, aud: tokenAudience, iat, exp: iat + expiresIn };
    return signToken(claims, this.options.tokenKey);
  }

  private seconds(): number {
    return Math.floor(this.options.now() / 1000);
  }
}
