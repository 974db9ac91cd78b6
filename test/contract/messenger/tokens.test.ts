/** Chapter 3 of `specs/messenger.md`: what tokens say, when they end, how they are renewed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, logIn } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { forge } from "../../support/forge.ts";
import { pixel } from "../../support/images.ts";
import { join, type Person, password, say } from "../../support/messenger.ts";
import { bearer, refused } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const key = "a key that is long enough for anybody";
const header = { alg: "HS256", typ: "JWT" };

let server: TestServer;
let anna: Person;
let boris: Person;
const url = () => server.url;

beforeAll(async () => {
  server = await startTestServer({ JWT_SECRET: key, CORS_ORIGINS: "http://school.example" });
  [anna, boris] = [await join(url(), "anna"), await join(url(), "boris")];
  await say(url(), anna, boris, "Привет!");
  await say(url(), anna, boris, pixel.png, { message_type: "image", file_name: "1.png", file_size: 70 });
});

afterAll(() => server.stop());

const partOf = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split(".")[index] ?? "", "base64url").toString());

/** The same token as if it had been made so many seconds ago. */
function aged(token: string, seconds: number): string {
  const { iat, exp, ...claims } = partOf(token, 1);
  return forge(header, { ...claims, iat: iat - seconds, exp: exp - seconds }, Buffer.from(key));
}

test("3.2 a token is an HS256 JWT of user_id, username, role and exp, good for 30 minutes", () => {
  const claims = { sub: expect.any(String), sid: expect.any(String) };
  const times = { iat: expect.any(Number), exp: expect.any(Number) };
  for (const [{ id, token }, username, role] of [
    [anna, "anna", "admin"],
    [boris, "boris", "user"],
  ] as const) {
    expect(partOf(token, 0)).toEqual(header);
    const payload = partOf(token, 1);
    expect(payload).toEqual({ ...claims, ...times, user_id: id, username, role });
    expect(payload.exp - payload.iat).toBe(1800);
    expect(Math.abs(payload.iat - Date.now() / 1000)).toBeLessThan(60);
  }
});

describe("tokens that are not good", () => {
  const example = (name: string, token: () => string) => ({
    name,
    method: "GET",
    path: "/users/",
    headers: bearer(() => ({ token: token() })),
  });
  testExamples(url, [
    { ...example("expired", () => aged(anna.token, 1801)), ...refused("AUTH_002") },
    {
      ...example("of another key", () => forge(header, partOf(anna.token, 1), Buffer.from("x".repeat(40)))),
      ...refused("AUTH_003"),
    },
    { ...example("cut short", () => anna.token.slice(0, -1)), ...refused("AUTH_003") },
    {
      ...example("of another algorithm", () =>
        forge({ ...header, alg: "none" }, partOf(anna.token, 1), Buffer.from(key)),
      ),
      ...refused("AUTH_003"),
    },
    {
      ...example("of another's id with the same session", () =>
        forge(header, { ...partOf(boris.token, 1), sid: crypto.randomUUID() }, Buffer.from(key)),
      ),
      ...refused("AUTH_003"),
    },
  ]);
});

test("a token of any other login is good here too, and ours is elsewhere", async () => {
  const { access_token } = (await logIn(url(), "anna", password)).body;
  const { status, headers } = await ask(url(), "GET", "/admin/stats", { token: access_token });
  expect({ status, renewed: headers.get("x-access-token") }).toEqual({ status: 200, renewed: null });
  const me = await ask(url(), "GET", "/api/v1/users/me", { token: anna.token });
  expect(me).toMatchObject({ status: 200, body: { id: `user_${anna.id}` } });
});

describe("3.3 sliding renewal", () => {
  const paths = [
    ...["/auth/me", "/users/", "/users/1", "/users/99", "/messages/conversation/2"],
    ...["/messages/conversation/2?images=url", "/messages/conversations", "/messages/unread"],
    ...["/messages/search?q=a", "/messages/1", "/messages/2", "/messages/99", "/messages/2/image"],
    ...["/admin/users", "/admin/messages", "/admin/stats", "/admin/export/all"],
    ...["/admin/export/users?format=csv", "/users/?size=1000"],
  ];
  const renewedBy = async (token: string, path: string) => {
    const response = await fetch(`${url()}${path}`, { headers: { Authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    return response.headers.get("x-access-token");
  };

  for (const path of paths)
    test(`more than half spent it is renewed by GET ${path}, and not before`, async () => {
      expect(await renewedBy(aged(anna.token, 890), path)).toBeNull();
      const fresh = await renewedBy(aged(anna.token, 910), path);
      expect(fresh).toMatch(/^eyJ/);
      const [old, renewed] = [partOf(anna.token, 1), partOf(fresh ?? "", 1)];
      expect({ ...renewed, iat: 0, exp: 0 }).toEqual({ ...old, iat: 0, exp: 0 });
      expect(renewed.exp).toBeGreaterThanOrEqual(old.exp);
      expect((await ask(url(), "GET", "/auth/me", { token: fresh ?? "" })).status).toBe(200);
    });

  test("it is renewed by what changes something, too", async () => {
    const token = aged(boris.token, 1000);
    for (const [method, path, body] of [
      ["POST", "/messages/", { receiver_id: 1, content: "ответ", message_type: "text" }],
      ["POST", "/messages/mark-read", { sender_id: 1 }],
      ["PUT", "/users/2", { display_name: "Борис" }],
      ["PUT", "/users/1", { display_name: "Борис" }],
    ] as const) {
      const { headers } = await ask(url(), method, path, { token, body });
      expect({ path, fresh: headers.get("x-access-token") }).toEqual({
        path,
        fresh: expect.stringMatching(/^eyJ/),
      });
    }
  });

  test("pages of other origins may read it", async () => {
    const response = await fetch(`${url()}/auth/me`, {
      headers: { Origin: "http://school.example", Authorization: `Bearer ${anna.token}` },
    });
    expect(response.headers.get("access-control-expose-headers")).toContain("X-Access-Token");
  });

  test("a session that is over is not renewed", async () => {
    const { token } = await join(url(), "vera");
    await ask(url(), "POST", "/auth/logout", { token });
    const { status, headers } = await ask(url(), "GET", "/auth/me", { token: aged(token, 1000) });
    expect({ status, renewed: headers.get("x-access-token") }).toEqual({ status: 401, renewed: null });
  });
});
