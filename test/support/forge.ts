/** Tokens made by hand, with any header, claims and key: what a forger would try. */
import { createHmac } from "node:crypto";

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A signed token in three parts. */
export function forge(header: object, payload: object, secret: Buffer, hash = "sha256"): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`;
}
