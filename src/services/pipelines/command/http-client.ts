/** Asks a server, with a token or by logging in. */
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { AwayError, patiently } from "./patience.ts";

/** Who asks: a token is good for an hour, a user for ever. */
export type Credential = { token: string } | { user: string; password: string };

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of our own server, of many shapes.
type Body = any;

export interface Asked {
  body?: object;
  headers?: Record<string, string>;
}

const requestMilliseconds = 30_000;
const longestRetryAfter = 60;
/** What a server, or a proxy before it, answers when it will answer better soon. */
const passing = new Set([429, 502, 503, 504]);

export class HttpClient {
  private readonly url: string;
  private readonly credential: Credential;
  private readonly leave: AbortSignal;
  private token: string | null;

  /** `leave`: from then on it is asked for a few seconds more, not for minutes. */
  constructor(url: string, credential: Credential, leave: AbortSignal) {
    this.url = url.replace(/\/+$/, "");
    this.credential = credential;
    this.leave = leave;
    this.token = "token" in credential ? credential.token : null;
  }

  /** The answer's body. Fails with HttpError, and with AwayError after some minutes without an answer. */
  ask(method: string, path: string, asked: Asked = {}): Promise<Body> {
    return patiently(() => this.authorized(method, path, asked), this.leave);
  }

  /** Ends the session that was begun by logging in. */
  async close(): Promise<void> {
    if (this.token === null || "token" in this.credential) return;
    const headers = { Authorization: `Bearer ${this.token}` };
    await this.send("POST", "/api/v1/auth/logout", undefined, headers).catch(() => {});
  }

  private async authorized(method: string, path: string, { body, headers }: Asked): Promise<Body> {
    const isFresh = this.token === null;
    this.token ??= await this.logIn();
    try {
      const all = { ...headers, Authorization: `Bearer ${this.token}` };
      return await this.send(method, `/api/v1${path}`, body, all);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 401 || isFresh || "token" in this.credential)
        throw error;
      this.token = null;
      return await this.authorized(method, path, {
        ...(body ? { body } : {}),
        ...(headers ? { headers } : {}),
      });
    }
  }

  private async logIn(): Promise<string> {
    if ("token" in this.credential) return this.credential.token;
    const { user: username, password } = this.credential;
    const { access_token: token } = await this.send("POST", "/api/v1/auth/login", { username, password }, {});
    return String(token);
  }

  private async send(
    method: string,
    path: string,
    body: object | undefined,
    headers: Record<string, string>,
  ): Promise<Body> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      // A redirect would take the password along.
      redirect: "error",
      headers: { ...headers, ...(body ? { "Content-Type": "application/json" } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(requestMilliseconds),
    }).catch((error: unknown) => {
      throw new AwayError(`the server cannot be reached: ${reasonOf(error)}`);
    });
    const text = await response.text().catch((error: unknown) => {
      throw new AwayError(`the server was lost: ${reasonOf(error)}`);
    });
    const answer = parsed(text);
    if (response.ok) return answer;
    const message = `${answer?.error?.message ?? `the server answered ${response.status}`}`;
    if (!passing.has(response.status)) throw new HttpError(response.status, message);
    const after = Number(response.headers.get("retry-after"));
    throw new AwayError(message, after > 0 ? Math.min(after, longestRetryAfter) : null);
  }
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
