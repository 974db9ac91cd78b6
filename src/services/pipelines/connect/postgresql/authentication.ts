/** How a client says who it is: trust, a clear password, md5, SCRAM-SHA-256 (RFC 5802, RFC 7677; without channel binding). */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { ConnectorError } from "../connector.ts";
import { BodyReader, int32, type Message, message, text, types } from "./messages.ts";

/** Who we are. */
export interface Login {
  user: string;
  password: string;
}

/** The connection, while the login is on. */
export interface Exchange {
  /** The next message; an error of the server is thrown. */
  next(): Promise<Message>;
  send(bytes: Uint8Array): Promise<void>;
  /** Whether nobody listens on the way: TLS, a Unix socket, the loopback. */
  isPrivate: boolean;
}

const codes = { ok: 0, clear: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 };
const mechanism = "SCRAM-SHA-256";
/** PostgreSQL's default is 4,096; a server that wants far more would keep us busy. */
const mostIterations = 1_000_000;

const refused = (why: string) => new ConnectorError("authentication", why);

/**
 * Answers the server's requests until it lets us in. Throws `ConnectorError` with code `authentication` for a method that is not known here, for a clear password over an
 * open line, and for a server that cannot prove that it knows the password.
 */
export async function authenticate(exchange: Exchange, login: Login): Promise<void> {
  let scram: Scram | null = null;
  for (;;) {
    const { type, body } = await exchange.next();
    if (type !== types.authentication) throw refused("the server did not ask for a login");
    const reader = new BodyReader(body);
    const code = reader.int32();
    if (code === codes.ok) {
      if (scram && !scram.isProven) throw refused("the server did not prove that it knows the password");
      return;
    }
    if (login.password === "") throw refused("the server asks for a password and none is configured");
    if (code === codes.clear) {
      if (!exchange.isPrivate)
        throw refused(
          "the server asks for the password in clear text over a connection that is not encrypted",
        );
      await exchange.send(message("p", text(login.password)));
    } else if (code === codes.md5) await exchange.send(message("p", text(md5Answer(login, reader.bytes(4)))));
    else if (code === codes.sasl) {
      const offered: string[] = [];
      while (!reader.isAtEnd) offered.push(reader.text());
      if (!offered.includes(mechanism))
        throw refused(
          `the server offers none of the known methods, only ${offered.filter(Boolean).join(", ")}`,
        );
      scram = new Scram(login.password);
      const first = Buffer.from(scram.first());
      await exchange.send(message("p", text(mechanism), int32(first.length), first));
    } else if (code === codes.saslContinue && scram)
      await exchange.send(message("p", Buffer.from(await scram.answer(reader.rest().toString()))));
    else if (code === codes.saslFinal && scram) scram.check(reader.rest().toString());
    else throw refused(`the server asks for a way of logging in that is not supported (${code})`);
  }
}

const md5 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** `md5` and md5(md5(password, user), salt). */
const md5Answer = ({ user, password }: Login, salt: Uint8Array): string =>
  `md5${md5(md5(password, user), salt)}`;

const derive = promisify(pbkdf2);
const hmac = (key: Uint8Array, data: string) => createHmac("sha256", key).update(data).digest();

const spaces = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const nothing = /\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]|\u200d|[\u00ad\u1806\u200c\u2060\ufeff]/g;
/** Beyond U+FFFF all that Unicode 3.2 did not know counts too, as emoji (RFC 3454, table A.1, by its blocks). */
const prohibited =
  /[\p{Cc}\p{Co}\p{Cs}\ufff9-\uffff\u{10000}-\u{102ff}\u{1034b}-\u{103ff}\u{1044e}-\u{1cfff}\u{1d800}-\u{1ffff}\u{2a6d7}-\u{2f7ff}\u{2fa1e}-\u{10ffff}]/u;

/**
 * SASLprep (RFC 4013); as PostgreSQL does, a password that it prohibits stays what it is. Letters of the basic plane that are newer than Unicode 3.2 are not
 * told apart, which matters only beside ones that change.
 */
export function prepared(password: string): string {
  const mapped = password.replace(spaces, " ").replace(nothing, "").normalize("NFKC");
  return mapped === "" || prohibited.test(mapped) ? password : mapped;
}

/** The client's side of SCRAM-SHA-256. */
export class Scram {
  isProven = false;
  private readonly password: string;
  private readonly nonce: string;
  private readonly bare: string;
  private signature: Buffer | null = null;

  /** The nonce is random, save in tests. PostgreSQL takes the user's name from the startup message. */
  constructor(password: string, nonce = randomBytes(18).toString("base64"), user = "") {
    this.password = password;
    this.nonce = nonce;
    this.bare = `n=${user},r=${nonce}`;
  }

  first(): string {
    return `n,,${this.bare}`;
  }

  /** The client's last message for the server's first. */
  async answer(serverFirst: string): Promise<string> {
    const [, nonce = "", salt = "", count = ""] =
      /^r=([^,]+),s=([^,]+),i=(\d+)(?:,|$)/.exec(serverFirst) ?? [];
    const iterations = Number(count);
    if (
      !nonce.startsWith(this.nonce) ||
      nonce === this.nonce ||
      iterations < 1 ||
      iterations > mostIterations
    )
      throw refused("the server's part of the login is not valid");
    const salted = await derive(
      prepared(this.password),
      Buffer.from(salt, "base64"),
      iterations,
      32,
      "sha256",
    );
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonce}`;
    const exchanged = `${this.bare},${serverFirst},${withoutProof}`;
    const proof = hmac(createHash("sha256").update(clientKey).digest(), exchanged);
    for (const [index, byte] of clientKey.entries()) proof[index] = (proof[index] ?? 0) ^ byte;
    this.signature = hmac(hmac(salted, "Server Key"), exchanged);
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  /** Throws unless the server knows the password too. */
  check(serverFinal: string): void {
    const given = Buffer.from(/^v=([^,]+)/.exec(serverFinal)?.[1] ?? "", "base64");
    if (!this.signature || given.length !== this.signature.length || !timingSafeEqual(given, this.signature))
      throw refused("the server did not prove that it knows the password");
    this.isProven = true;
  }
}
