/** Accounts beyond the documents' examples: the first admin, the last admin, deletion, password rules. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, logIn, register, statusOfMe } from "../support/accounts.ts";
import { openEmbedded } from "../support/database.ts";
import { freshDataDirectory, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let admin: string;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.stop());

const put = (id: number, body: object, token = admin) =>
  ask(server.url, "PUT", `/api/v1/users/${id}`, { body, token });
const me = async (token: string) => (await ask(server.url, "GET", "/api/v1/users/me", { token })).body;
const idOf = async (token: string) => Number((await me(token)).id.slice("user_".length));

test("of 50 who register at once on an empty server exactly one is the admin", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `racer${index}`);
  const tokens = await Promise.all(names.map((name) => register(server.url, name)));
  const everybody = await Promise.all(tokens.map(me));
  const admins = everybody.filter(({ role }) => role === "admin");
  expect(admins).toHaveLength(1);
  admin = tokens[everybody.indexOf(admins[0])]!;
  expect((await ask(server.url, "GET", "/api/v1/users/", { token: admin })).body).toHaveLength(50);
});

test("of 20 who register one name at once, in any case, exactly one gets it", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      ask(server.url, "POST", "/api/v1/auth/register", {
        body: { username: index % 2 ? "Ёлка" : "ёлка", password: "x" },
      }),
    ),
  );
  const statuses = answers.map(({ status }) => status).toSorted();
  expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
});

test("two admins who take each other's role at once do not both succeed", async () => {
  const first = await idOf(admin);
  const other = await register(server.url, "second-admin");
  const second = await idOf(other);
  for (let round = 0; round < 10; round++) {
    await put(second, { role: "admin" });
    const answers = await Promise.all([
      put(second, { role: "analyst" }),
      put(first, { role: "analyst" }, other),
    ]);
    const done = answers.filter(({ status }) => status === 200);
    expect(done.length).toBeLessThanOrEqual(1);
    const roles = await Promise.all([me(admin), me(other)]);
    expect(roles.filter(({ role }) => role === "admin").length).toBeGreaterThanOrEqual(1);
    if ((await me(admin)).role !== "admin") await put(first, { role: "admin" }, other);
  }
});

test("deactivation ends the sessions and the login; activation gives the login back", async () => {
  const token = await register(server.url, "leaver");
  const id = await idOf(token);
  expect((await put(id, { is_active: false })).body).toMatchObject({ is_active: false });
  expect(await statusOfMe(server.url, token)).toBe(401);
  expect((await logIn(server.url, "leaver")).status).toBe(401);
  expect((await put(id, { is_active: true })).body).toMatchObject({ is_active: true });
  expect(await statusOfMe(server.url, token)).toBe(401);
  expect((await logIn(server.url, "leaver")).status).toBe(200);
});

test("an account that others refer to is anonymised, and its name is free again", async () => {
  const token = await register(server.url, "author");
  const id = await idOf(token);
  const database = openEmbedded(server.dataDirectory);
  await database`create table public.held (account_id integer references identity.accounts (id))`;
  await database`insert into public.held values (${id})`;
  expect((await ask(server.url, "DELETE", `/api/v1/users/${id}`, { token })).status).toBe(200);
  const [row] = await database`select * from identity.accounts where id = ${id}`;
  expect(row).toMatchObject({
    username: `deleted_${id}`,
    username_key: null,
    email: null,
    password_hash: null,
    is_active: false,
  });
  await database`drop table public.held`;
  await database.close();
  expect(await statusOfMe(server.url, token)).toBe(401);
  expect((await ask(server.url, "GET", `/api/v1/users/${id}`, { token: admin })).status).toBe(404);
  const list = (await ask(server.url, "GET", "/api/v1/users/?limit=1000", { token: admin })).body as {
    id: number;
  }[];
  expect(list.map((user) => user.id)).not.toContain(id);
  const again = await register(server.url, "Author");
  expect(await idOf(again)).not.toBe(id);
  const trail = (await ask(server.url, "GET", `/api/v1/users/${id}/audit`, { token: admin })).body;
  expect(trail[0]).toMatchObject({ event: "deleted", username: "author", details: { anonymised: true } });
});

test("a hash made with other parameters is made anew at the next login", async () => {
  await register(server.url, "old-hash");
  const database = openEmbedded(server.dataDirectory);
  const old = await Bun.password.hash("password", { algorithm: "argon2id", memoryCost: 8192, timeCost: 1 });
  await database`update identity.accounts set password_hash = ${old} where username = 'old-hash'`;
  expect((await logIn(server.url, "old-hash")).status).toBe(200);
  const [row] = await database`select password_hash from identity.accounts where username = 'old-hash'`;
  await database.close();
  expect(row.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect((await logIn(server.url, "old-hash")).status).toBe(200);
});

describe("the settings", () => {
  test("ADMIN_USER and ADMIN_PASS make the admin, and make one again", async () => {
    const data = await freshDataDirectory();
    const start = (password: string) =>
      startTestServer({ DATA_DIR: data, ADMIN_USER: "root", ADMIN_PASS: password });
    const first = await start("first password");
    const token = (await logIn(first.url, "root", "first password")).body.access_token;
    expect(await statusOfMe(first.url, token)).toBe(200);
    expect((await ask(first.url, "GET", "/api/v1/users/me", { token })).body.role).toBe("admin");
    const other = await register(first.url, "somebody");
    expect((await ask(first.url, "GET", "/api/v1/users/me", { token: other })).body.role).toBe("analyst");
    await first.quintet.stop();
    const same = await start("first password");
    expect((await logIn(same.url, "root", "first password")).status).toBe(200);
    await same.quintet.stop();
    const changed = await start("second password");
    expect((await logIn(changed.url, "root", "first password")).status).toBe(401);
    expect((await logIn(changed.url, "root", "second password")).status).toBe(200);
    await changed.stop();
  });

  test("PASSWORD_POLICY=strict refuses what is short or common, and takes what is neither", async () => {
    const strict = await startTestServer({ PASSWORD_POLICY: "strict" });
    const statusOf = async (password: string) => {
      const body = { username: `u${crypto.randomUUID()}`, password };
      return (await ask(strict.url, "POST", "/api/v1/auth/register", { body })).status;
    };
    for (const bad of [
      "short",
      "password12345",
      "Passw0rd2024!",
      "qwertyuiop123",
      "123456789012",
      "aaaaaaaaaaaaaa",
      "abcdefghijklm",
      "йцукенгшщзхъ",
      "p@ssw0rd!!!!!!",
    ])
      expect({ bad, status: await statusOf(bad) }).toEqual({ bad, status: 422 });
    for (const good of ["correct horse battery", "зелёный чайник поёт", "xK9#mQ2$vL7p"])
      expect({ good, status: await statusOf(good) }).toEqual({ good, status: 201 });
    await strict.stop();
  });

  test("JWT_SECRET may be changed: JWT_SECRET_PREVIOUS still verifies", async () => {
    const data = await freshDataDirectory();
    const [old, present] = [
      "an old secret, long enough for anybody",
      "a present secret, as long as that one",
    ];
    const first = await startTestServer({ DATA_DIR: data, JWT_SECRET: old });
    const token = await register(first.url, "somebody");
    await first.quintet.stop();
    const second = await startTestServer({ DATA_DIR: data, JWT_SECRET: present, JWT_SECRET_PREVIOUS: old });
    expect(await statusOfMe(second.url, token)).toBe(200);
    await second.quintet.stop();
    const third = await startTestServer({ DATA_DIR: data, JWT_SECRET: present });
    expect(await statusOfMe(third.url, token)).toBe(401);
    await third.stop();
  });
});

test("the Collector takes accounts from engineer upwards, and mints for admins from outside", async () => {
  const required = await startTestServer({ COLLECTOR_AUTH: "required" });
  const boss = await register(required.url, "boss");
  const user = await register(required.url, "user");
  const outside = { "X-Forwarded-For": "192.0.2.1" };
  const collecting = async (token: string) =>
    (await ask(required.url, "GET", "/api/v1/jobs", { token, headers: outside })).status;
  const minting = async (token: string) =>
    (await ask(required.url, "GET", "/api/v1/auth/api-key", { token, headers: outside })).status;
  expect([await collecting(boss), await collecting(user)]).toEqual([200, 403]);
  await ask(required.url, "PUT", "/api/v1/users/2", { token: boss, body: { role: "engineer" } });
  expect([await collecting(user), await minting(user), await minting(boss)]).toEqual([200, 403, 200]);
  await ask(required.url, "POST", "/api/v1/auth/logout", { token: boss });
  expect([await collecting(boss), await minting(boss)]).toEqual([401, 401]);
  await required.stop();
});
