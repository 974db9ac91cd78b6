/** Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key that lives outside the database. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const algorithm = "aes-256-gcm";
const version = "v1";
const nonceLength = 12;
const tagLength = 16;

/** Seals short texts such as passwords. What one server sealed, any server with the same key opens. */
export class Sealer {
  private readonly key: Buffer;

  /** `secret` is any text of enough entropy: the AES key is its SHA-256. */
  constructor(secret: Buffer) {
    this.key = createHash("sha256").update("quintet sealing ").update(secret).digest();
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
    const [given, body] = form.split(".");
    const bytes = Buffer.from(body ?? "", "base64url");
    if (given !== version || bytes.length < nonceLength + tagLength) throw new Error("not a sealed secret");
    const decipher = createDecipheriv(algorithm, this.key, bytes.subarray(0, nonceLength));
    decipher.setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
    return Buffer.concat([
      decipher.update(bytes.subarray(nonceLength + tagLength)),
      decipher.final(),
    ]).toString();
  }
}
