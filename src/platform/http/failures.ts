/**
 * The one vocabulary of failures. Domain code throws these and knows nothing of HTTP: statuses and bodies are
 * made from them in `envelopes.ts` and in each service's own envelope.
 */

/** Why a request could not be served, in the words that every service shares. */
export type FailureKind =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "notFound"
  | "methodNotAllowed"
  | "conflict"
  | "tooLarge"
  | "unprocessable"
  | "upgradeRequired"
  | "locked"
  | "tooMany"
  | "unavailable"
  | "unexpected";

/** One thing wrong with one field of the input. `path` starts with where it was found: body, query, path. */
export interface Problem {
  path: (string | number)[];
  message: string;
  /** The pydantic error type, for example `value_error.missing`. */
  type: string;
  context?: Record<string, unknown>;
}

export interface FailureOptions {
  /** A service's own code for the failure, for example `AUTH_003`. */
  code?: string;
  /** Every problem of the input, for `unprocessable` failures. */
  problems?: Problem[];
  details?: Record<string, unknown>;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  retryAfter?: number;
  /** Further answer headers, for example `Allow`. */
  headers?: Record<string, string>;
  /** What went wrong underneath: logged with the request id, never shown. */
  cause?: unknown;
}

/** A failure whose message is safe to show to whoever sent the request. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: FailureKind;
  readonly options: FailureOptions;

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.options = options;
  }
}

type Make = (message: string, options?: FailureOptions) => Failure;

const failureOf =
  (kind: FailureKind): Make =>
  (message, options) =>
    new Failure(kind, message, options);

/** Well-formed but impossible (400). */
export const invalid = failureOf("invalid");
/** Nobody, or not who they claim to be (401). */
export const unauthenticated = failureOf("unauthenticated");
/** Known, but not allowed (403). */
export const forbidden = failureOf("forbidden");
/** No such thing (404). */
export const notFound = failureOf("notFound");
/** Contradicts what is already there (409). */
export const conflict = failureOf("conflict");
/** Larger than the limit (413). */
export const tooLarge = failureOf("tooLarge");
/** Does not have the shape that the document asks for (422); carries `problems`. */
export const unprocessable = failureOf("unprocessable");
/**
 * Locked after too many failed attempts (423).
 * @public
 */
export const locked = failureOf("locked");
/** Over a rate limit (429); carries `retryAfter`. */
export const tooMany = failureOf("tooMany");
/** A part that is needed is not there just now (503). */
export const unavailable = failureOf("unavailable");
