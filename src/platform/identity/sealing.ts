/** Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key that lives outside the database. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownSecret, secretsDirectory } from "./secrets.ts";

const algorithm = "aes-256-gcm";
const version = "v1";
const nonceLength = 12;
const tagLength = 16;
const keyFile = "sealing.key";

/** What looks like a sealed form, in any text. */
export const sealedForms = /v1\.[A-Za-z0-9_-]{38,}/g;

const keyOf = (secret: Buffer): Buffer =>
  createHash("sha256").update("quintet sealing ").update(secret).digest();

/** Seals short texts such as passwords. What one server sealed, any server with the same key opens. */
export class Sealer {
  private readonly key: Buffer;
  private readonly previous: Buffer | null;

  /** `secret` is any text of enough entropy: the AES key is its SHA-256. What was sealed under `previous` is opened as well. */
  constructor(secret: Buffer, previous: Buffer | null = null) {
    this.key = keyOf(secret);
    this.previous = previous && keyOf(previous);
  }

  /** Whether something may still be sealed under a previous key. */
  get isRotating(): boolean {
    return this.previous !== null;
  }

  /** The sealed form of a text, as printable characters. Sealing the same text twice gives two different forms. */
  seal(text: string): string {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv(algorithm, this.key, nonce);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return `${version}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url")}`;
  }

  /** The text of a sealed form. Throws when it was sealed under another key or tampered with. */
  open(form: string): string {
    const text = opened(form, this.key) ?? (this.previous && opened(form, this.previous));
    if (text === null) throw new Error("not a secret sealed under this key");
    return text;
  }

  /** A form that was sealed under the previous key, sealed under the present one; any other as it is. */
  reseal(form: string): string {
    const text = this.previous && opened(form, this.previous);
    return text === null ? form : this.seal(text);
  }
}

/** The text of a form that was sealed under a key; null of any other. */
function opened(form: string, key: Buffer): string | null {
  const [given, body] = form.split(".");
  const bytes = Buffer.from(body ?? "", "base64url");
  if (given !== version || bytes.length < nonceLength + tagLength) return null;
  // The last character may have bits that stand for nothing: they are not to be touched either.
  if (bytes.toString("base64url") !== body) return null;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceLength));
  decipher.setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
  const parts = [decipher.update(bytes.subarray(nonceLength + tagLength))];
  try {
    parts.push(decipher.final());
  } catch {
    return null;
  }
  return Buffer.concat(parts).toString();
}

/** The settings that say what is sealed under. */
export interface SealingSettings {
  encryptionKey: string | null;
  encryptionKeyPrevious: string | null;
  dataDirectory: string;
}

/** The sealer of the settings: under their key, else under the server's own. A server that is given its first key still opens what it sealed under its own. */
export function sealerOf({ encryptionKey, encryptionKeyPrevious, dataDirectory }: SealingSettings): Sealer {
  const given = encryptionKeyPrevious === null ? null : Buffer.from(encryptionKeyPrevious);
  const own = () => ownSecret(dataDirectory, keyFile);
  if (encryptionKey === null) return new Sealer(own(), given);
  const hasOwn = existsSync(join(secretsDirectory(dataDirectory), keyFile));
  return new Sealer(Buffer.from(encryptionKey), given ?? (hasOwn ? own() : null));
}
