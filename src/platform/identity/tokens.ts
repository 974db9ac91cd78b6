/** JSON Web Tokens (RFC 7519), HS256 only, checked synchronously: WebCrypto would wait behind password hashing. */
import { createHmac, timingSafeEqual } from "node:crypto";

/** What our tokens say. Times are seconds since 1970. */
export interface Claims {
  sub: string;
  user_id: string;
  iat: number;
  exp: number;
  /** The only service that takes the token; without it, every one does. */
  aud?: string;
}

/** Longer tokens are refused unread. */
const longestToken = 4096;
/** Seconds. */
const clockSkew = 60;

const header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");

const signatureOf = (text: string, key: Buffer): Buffer => createHmac("sha256", key).update(text).digest();

/** A signed token. */
export function signToken(claims: Claims, key: Buffer): string {
  const text = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${text}.${signatureOf(text, key).toString("base64url")}`;
}

const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** The claims of a token that is ours, whole and in its time (`now` in seconds); null for any other. */
export function verifyToken(token: string, key: Buffer, now: number): Claims | null {
  const [head, body, signature, ...more] = token.length > longestToken ? [] : token.split(".");
  if (!head || !body || !signature || more.length > 0) return null;
  const expected = signatureOf(`${head}.${body}`, key);
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  try {
    const [kind, claims] = [decode(head), decode(body)];
    return isRecord(kind) && kind.alg === "HS256" && isClaims(claims) && isInTime(claims, now)
      ? claims
      : null;
  } catch {
    return null;
  }
}

function isClaims(value: unknown): value is Claims {
  if (!isRecord(value)) return false;
  const { sub, user_id, iat, exp, aud } = value;
  const texts =
    typeof sub === "string" && typeof user_id === "string" && ["string", "undefined"].includes(typeof aud);
  return texts && typeof iat === "number" && typeof exp === "number";
}

/** `nbf` is not ours to set but is respected; clocks may differ by a minute. */
function isInTime({ iat, exp, ...rest }: Claims & { nbf?: unknown }, now: number): boolean {
  return exp > now && iat <= now + clockSkew && (typeof rest.nbf !== "number" || rest.nbf <= now);
}
