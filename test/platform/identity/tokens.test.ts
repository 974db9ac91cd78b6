import { expect, test } from "bun:test";
import { jwt } from "@elysiajs/jwt";
import { Elysia } from "elysia";
import { type Claims, Tokens, VerifyingKey, verifyToken } from "../../../src/platform/identity/tokens.ts";
import { forge } from "../../support/forge.ts";

const key = Buffer.from("a key that is long enough for anybody");
const claims: Claims = { sub: "1", user_id: "1", iat: 1000, exp: 2000 };
const header = { alg: "HS256", typ: "JWT" };
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const verify = (token: string, now = 1500) => verifyToken(token, [new VerifyingKey(key)], now);

test("a token says what was signed, in its time", () => {
  const token = forge(header, claims, key);
  expect(verify(token)).toEqual(claims);
  expect(verify(token, 2000)).toBe("expired");
  expect(verify(token, 900)).toBe("invalid");
  expect(verify(forge({ typ: "JWT", alg: "HS256" }, claims, key))).toEqual(claims);
});

test("any other token is refused without a word", () => {
  const token = forge(header, claims, key);
  const [head, body, signature] = token.split(".");
  for (const bad of [
    forge({ alg: "none" }, claims, key),
    forge({ alg: "nOnE" }, claims, Buffer.alloc(0)),
    forge({ alg: "HS512" }, claims, key, "sha512"),
    forge({ alg: "RS256" }, claims, key),
    forge({ alg: "HS256", crit: ["exp"] }, claims, key),
    forge(header, { ...claims, nbf: 1600 }, key),
    forge(header, { ...claims, nbf: "1400" }, key),
    forge(header, { ...claims, exp: "2000" }, key),
    forge(header, { ...claims, sid: 7 }, key),
    forge(header, { sub: "1" }, key),
    forge(header, [claims], key),
    forge(header, claims, Buffer.from("another key")),
    `${head}.${body}.`,
    `${head}.${body}`,
    `${encode({ alg: "none" })}.${body}.`,
    `${head}.${encode({ ...claims, sub: "2" })}.${signature}`,
    `${token}.x`,
    `${token}=`,
    `${head}.${body}.${signature}AAAA`,
    `${head}.${body}.${String.fromCharCode((signature?.charCodeAt(0) ?? 0) + 0x400)}${signature?.slice(1)}`,
    "",
    "..",
    "a.b.c",
    `${head}.${"A".repeat(5000)}.${signature}`,
    "\u0000.\u0000.\u0000",
  ])
    expect({ bad, found: verify(bad) }).toEqual({ bad, found: "invalid" });
});

test("no random tampering ever verifies", () => {
  const token = forge(header, { ...claims, role: "analyst", sid: crypto.randomUUID() }, key);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \u0000я";
  const pick = (length: number) => Math.floor(Math.random() * length);
  for (let round = 0; round < 20_000; round++) {
    const characters = [...token];
    for (let change = 0; change <= pick(3); change++) {
      const at = pick(characters.length);
      const random = alphabet[pick(alphabet.length)] ?? "A";
      if (Math.random() < 0.6) characters[at] = random;
      else if (Math.random() < 0.5) characters.splice(at, 1);
      else characters.splice(at, 0, random);
    }
    const tampered = characters.join("");
    if (tampered !== token)
      expect({ tampered, found: verify(tampered) }).toEqual({ tampered, found: "invalid" });
  }
});

test("@elysiajs/jwt takes our tokens, and we take its", async () => {
  const now = Date.now();
  const tokens = new Tokens({ key, previous: null, now: () => now });
  const { jwt: theirs } = new Elysia().use(jwt({ name: "jwt", secret: key.toString() })).decorator;
  const ours = await tokens.sign({ sub: "user_1", user_id: "user_1", role: "admin" }, 60);
  expect(await theirs.verify(ours)).toMatchObject({ sub: "user_1", role: "admin" });
  const exp = Math.floor(now / 1000) + 60;
  const signed = await theirs.sign({ sub: "user_2", user_id: "user_2", exp });
  expect(tokens.verify(signed)).toMatchObject({ sub: "user_2", exp });
  expect(tokens.verify(await theirs.sign({ sub: "2", user_id: "2", exp: 1 }))).toBe("expired");
  const { jwt: others } = new Elysia().use(
    jwt({ name: "jwt", secret: "another key, long enough as well" }),
  ).decorator;
  expect(tokens.verify(await others.sign({ sub: "2", user_id: "2", exp }))).toBe("invalid");
  expect(await others.verify(ours)).toBe(false);
});

test("what the previous key signed is taken, and is signed anew with the present one", async () => {
  const previous = Buffer.from("the key of last year, also long enough");
  const then = new Tokens({ key: previous, previous: null, now: Date.now });
  const today = new Tokens({ key, previous, now: Date.now });
  const old = await then.sign({ sub: "1", user_id: "1" }, 60);
  expect(today.verify(old)).toMatchObject({ sub: "1" });
  expect(then.verify(await today.sign({ sub: "1", user_id: "1" }, 60))).toBe("invalid");
});
