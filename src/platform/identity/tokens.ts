/**
 * JSON Web Tokens (RFC 7519), HS256 only. Signed with @elysiajs/jwt; checked here, synchronously, because WebCrypto would have every
 * request wait behind password hashing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { jwt } from "@elysiajs/jwt";
import { Elysia } from "elysia";

/** What our tokens say. Times are seconds since 1970. */
export interface Claims {
  sub: string;
  user_id: string;
  username?: string;
  role?: string;
  /** The session that the token is good for. */
  sid?: string;
  iat: number;
  exp: number;
  /** The only service that takes the token; without it, every one does. */
  aud?: string;
}

/** Why a token is not good. */
export type BadToken = "invalid" | "expired";

/** Longer tokens are refused unread. */
const longestToken = 4096;
/** Seconds. */
const clockSkew = 60;

const signatureOf = (text: string, key: Buffer): Buffer => createHmac("sha256", key).update(text).digest();

const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** The one header that we sign; any other is looked at more closely. */
const usualHeader = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");

function isOurHeader(head: string): boolean {
  if (head === usualHeader) return true;
  const header = decode(head);
  return isRecord(header) && header.alg === "HS256" && header.crit === undefined;
}

function isClaims(value: unknown): value is Claims & { nbf?: unknown } {
  if (!isRecord(value)) return false;
  const { sub, user_id, iat, exp, aud, username, role, sid } = value;
  const optional = [aud, username, role, sid].every((text) => text === undefined || typeof text === "string");
  return (
    optional && [sub, user_id].every((text) => typeof text === "string") && [iat, exp].every(Number.isFinite)
  );
}

/** The last bits of a base64url text that stand for no byte must be zero: else several texts would be one signature. */
const isCanonical = (text: string, bytes: Buffer): boolean => bytes.toString("base64url") === text;

function isSignedBy(key: Buffer, text: string, signature: string): boolean {
  const given = Buffer.from(signature, "base64url");
  const expected = signatureOf(text, key);
  return (
    given.length === expected.length && timingSafeEqual(given, expected) && isCanonical(signature, given)
  );
}

/** The claims of a token that one of the keys signed and whose time it is (`now` in seconds), or what is wrong with it. */
export function verifyToken(token: string, keys: readonly Buffer[], now: number): Claims | BadToken {
  const [head, body, signature, ...more] = token.length > longestToken ? [] : token.split(".");
  if (!head || !body || !signature || more.length > 0) return "invalid";
  if (!keys.some((key) => isSignedBy(key, `${head}.${body}`, signature))) return "invalid";
  try {
    const claims = decode(body);
    if (!isOurHeader(head) || !isClaims(claims)) return "invalid";
    if (claims.iat > now + clockSkew) return "invalid";
    // `nbf` is not ours to set, but is respected.
    if (claims.nbf !== undefined && !(typeof claims.nbf === "number" && claims.nbf <= now)) return "invalid";
    return claims.exp > now ? claims : "expired";
  } catch {
    return "invalid";
  }
}

export interface TokensOptions {
  /** The key that signs. */
  key: Buffer;
  /** The key before it: what it signed is still taken. */
  previous: Buffer | null;
  /** Now, in milliseconds. */
  now: () => number;
}

/** Signs and checks the tokens of this server. */
export class Tokens {
  private readonly keys: Buffer[];
  private readonly now: () => number;
  private readonly signer: { sign(claims: Record<string, unknown>): Promise<string> };

  constructor({ key, previous, now }: TokensOptions) {
    this.keys = previous ? [key, previous] : [key];
    this.now = now;
    this.signer = new Elysia().use(jwt({ name: "jwt", secret: new Uint8Array(key) as never })).decorator
      .jwt as never;
  }

  /** A token that ends `lifetime` seconds from now. */
  async sign(claims: Omit<Claims, "iat" | "exp">, lifetime: number): Promise<string> {
    return await this.signer.sign({ ...claims, exp: Math.floor(this.now() / 1000) + lifetime });
  }

  verify(token: string): Claims | BadToken {
    return verifyToken(token, this.keys, this.now() / 1000);
  }
}
