/**
 * JSON Web Tokens (RFC 7519), HS256 only. Signed with @elysiajs/jwt; checked here, synchronously, because WebCrypto would have every
 * request wait behind password hashing.
 */
import { timingSafeEqual } from "node:crypto";
import { jwt } from "@elysiajs/jwt";
import { Elysia } from "elysia";

/** What our tokens say. Times are seconds since 1970. */
export interface Claims {
  sub: string;
  /** `user_1`, or the number alone where a document shows it so. */
  user_id: string | number;
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

const isText = (value: unknown): boolean => typeof value === "string";
const isTextIfAny = (value: unknown): boolean => value === undefined || typeof value === "string";

function isClaims(value: unknown): value is Claims & { nbf?: unknown } {
  if (!isRecord(value)) return false;
  const { sub, user_id, iat, exp, aud, username, role, sid } = value;
  const optional = isTextIfAny(aud) && isTextIfAny(username) && isTextIfAny(role) && isTextIfAny(sid);
  return (
    optional &&
    isText(sub) &&
    (isText(user_id) || Number.isSafeInteger(user_id)) &&
    Number.isFinite(iat) &&
    Number.isFinite(exp)
  );
}

/** Characters of a SHA-256 in base64url. */
const signatureLength = 43;
const signatureForm = /^[\w-]{43}$/;

/** A key, ready to sign: preparing it costs as much as signing. */
export class VerifyingKey {
  private readonly hasher: Bun.CryptoHasher;
  private readonly expected = Buffer.alloc(signatureLength);
  private readonly given = Buffer.alloc(signatureLength);

  constructor(key: Buffer) {
    this.hasher = new Bun.CryptoHasher("sha256", key);
  }

  /** Whether a text was signed with this key. Compared in constant time, and as texts: no second one stands for the same signature. */
  signed(text: string, signature: string): boolean {
    // Other characters would be cut to one byte below, and so might look like the right ones.
    if (!signatureForm.test(signature)) return false;
    this.expected.write(this.hasher.copy().update(text).digest("base64url"), "latin1");
    this.given.write(signature, "latin1");
    return timingSafeEqual(this.given, this.expected);
  }
}

/** The claims of a token that one of the keys signed and whose time it is (`now` in seconds), or what is wrong with it. */
export function verifyToken(token: string, keys: readonly VerifyingKey[], now: number): Claims | BadToken {
  const [head, body, signature, ...more] = token.length > longestToken ? [] : token.split(".");
  if (!head || !body || !signature || more.length > 0) return "invalid";
  const text = token.slice(0, token.length - signature.length - 1);
  if (!keys.some((key) => key.signed(text, signature))) return "invalid";
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
  private readonly keys: VerifyingKey[];
  private readonly now: () => number;
  private readonly signer: { sign(claims: Record<string, unknown>): Promise<string> };

  constructor({ key, previous, now }: TokensOptions) {
    this.keys = (previous ? [key, previous] : [key]).map((each) => new VerifyingKey(each));
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
