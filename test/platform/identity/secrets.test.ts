import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { Sealer } from "../../../src/platform/identity/sealing.ts";
import { ownSecret } from "../../../src/platform/identity/secrets.ts";
import { signToken, verifyToken } from "../../../src/platform/identity/tokens.ts";
import { temporaryDirectory } from "../../support/server.ts";

const key = Buffer.from("a key that is long enough for anybody");
const claims = { sub: "1", user_id: "1", iat: 1000, exp: 2000 };
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token made by hand, with any header. */
function forge(header: object, payload: object, secret: Buffer, hash = "sha256"): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`;
}

test("a token says what was signed, in its time", () => {
  const token = signToken(claims, key);
  expect(verifyToken(token, key, 1500)).toEqual(claims);
  expect(verifyToken(token, key, 2000)).toBeNull();
  expect(verifyToken(token, key, 900)).toBeNull();
  expect(verifyToken(forge({ alg: "HS256", typ: "JWT" }, claims, key), key, 1500)).toEqual(claims);
});

test("any other token is refused without a word", () => {
  const token = signToken(claims, key);
  const [head, body, signature] = token.split(".");
  for (const bad of [
    forge({ alg: "none" }, claims, key),
    forge({ alg: "HS512" }, claims, key, "sha512"),
    forge({ alg: "RS256" }, claims, key),
    forge({ alg: "HS256" }, { ...claims, nbf: 1600 }, key),
    forge({ alg: "HS256" }, { ...claims, exp: "2000" }, key),
    forge({ alg: "HS256" }, { sub: "1" }, key),
    forge({ alg: "HS256" }, claims, Buffer.from("another key")),
    `${head}.${body}.`,
    `${head}.${body}`,
    `${head}.${encode({ ...claims, sub: "2" })}.${signature}`,
    `${token}.x`,
    `${head}.${body}.${signature}AAAA`,
    "",
    "..",
    "a.b.c",
    `${head}.${"A".repeat(5000)}.${signature}`,
    "\u0000.\u0000.\u0000",
  ])
    expect({ bad, found: verifyToken(bad, key, 1500) }).toEqual({ bad, found: null });
});

test("the server's own key is made once and readable by nobody else", async () => {
  const directory = temporaryDirectory("secrets");
  const program = `import { ownSecret } from ${JSON.stringify(join(import.meta.dir, "../../../src/platform/identity/secrets.ts"))};
    console.log(ownSecret(${JSON.stringify(directory)}, "a.key").toString())`;
  const started = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" }),
  );
  const made = new Set(await Promise.all(started.map((child) => new Response(child.stdout).text())));
  expect(made.size).toBe(1);
  expect(ownSecret(directory, "a.key").toString()).toBe([...made][0]!.trim());
  expect(ownSecret(directory, "b.key")).not.toEqual(ownSecret(directory, "a.key"));
  expect(statSync(join(directory, "secrets/a.key")).mode & 0o777).toBe(0o600);
});

test("what is sealed opens under its key alone, and not when it was touched", () => {
  const sealer = new Sealer(key);
  const sealed = sealer.seal("пароль");
  expect(sealed).not.toBe(sealer.seal("пароль"));
  expect(sealer.open(sealed)).toBe("пароль");
  expect(() => new Sealer(Buffer.from("another")).open(sealed)).toThrow();
  for (let at = 0; at < sealed.length; at += 7) {
    const touched = sealed.slice(0, at) + (sealed[at] === "A" ? "B" : "A") + sealed.slice(at + 1);
    expect(() => sealer.open(touched)).toThrow();
  }
  for (const bad of ["", "v1.", "v1.AAAA", "hello"]) expect(() => sealer.open(bad)).toThrow();
});
