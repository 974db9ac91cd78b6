/** Sessions: rotation, reuse, the end of one everywhere at once, sliding renewal, locks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { Failure } from "../../src/platform/http/failures.ts";
import { Grants } from "../../src/platform/identity/grants.ts";
import { LoginLocks } from "../../src/platform/identity/login-locks.ts";
import { type Identity, Sessions } from "../../src/platform/identity/sessions.ts";
import { Tokens } from "../../src/platform/identity/tokens.ts";
import { NotifyTransport } from "../../src/platform/realtime/notify-transport.ts";
import { Topics } from "../../src/platform/realtime/topics.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { ask, logIn, register, statusOfMe } from "../support/accounts.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { freshDataDirectory, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let admin: string;

beforeAll(async () => {
  server = await startTestServer();
  admin = await register(server.url, "admin");
});

afterAll(() => server.stop());

const refresh = (refresh_token: string, url = server.url) =>
  ask(url, "POST", "/api/v1/auth/refresh", { body: { refresh_token } });

test("a refresh token is good once; used again it ends its session and nobody else's", async () => {
  await register(server.url, "reused");
  const [stolen, other] = await Promise.all([logIn(server.url, "reused"), logIn(server.url, "reused")]);
  const rotated = await refresh(stolen.body.refresh_token);
  expect(rotated.status).toBe(200);
  expect((await refresh(stolen.body.refresh_token)).status).toBe(401);
  expect((await refresh(rotated.body.refresh_token)).status).toBe(401);
  for (const token of [stolen.body.access_token, rotated.body.access_token])
    expect(await statusOfMe(server.url, token)).toBe(401);
  expect(await statusOfMe(server.url, other.body.access_token)).toBe(200);
  const trail = (await ask(server.url, "GET", "/api/v1/users/user_2/audit", { token: admin })).body;
  expect(trail[0]).toMatchObject({ event: "token_reused", address: "127.0.0.1" });
});

test("of many who use one refresh token at once at most one gets a new one", async () => {
  const { body } = await logIn(server.url, "admin");
  const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(body.refresh_token)));
  expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
  expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(9);
});

test("a new password ends every other session", async () => {
  const here = await register(server.url, "careful");
  const there = (await logIn(server.url, "careful")).body;
  const { id } = (await ask(server.url, "GET", "/api/v1/users/me", { token: here })).body;
  await ask(server.url, "PUT", `/api/v1/users/${id}`, { token: here, body: { password: "another" } });
  expect(await statusOfMe(server.url, here)).toBe(200);
  expect(await statusOfMe(server.url, there.access_token)).toBe(401);
  expect((await refresh(there.refresh_token)).status).toBe(401);
  expect((await logIn(server.url, "careful")).status).toBe(401);
  expect((await logIn(server.url, "careful", "another")).status).toBe(200);
});

test("a live socket closes when its session ends", async () => {
  const token = (await logIn(server.url, "admin")).body.access_token;
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/ws/a?token=${token}`);
  await new Promise((resolve) => (socket.onopen = resolve));
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  await ask(server.url, "POST", "/api/v1/auth/logout", { token });
  expect(await closed).toBe(4001);
});

describe("locks", () => {
  const fail = async (username: string, times: number) => {
    for (let attempt = 0; attempt < times; attempt++)
      expect((await logIn(server.url, username, "wrong")).status).toBe(401);
  };

  test("the pair of address and name is locked after 5 failures in a row, whoever knows the password", async () => {
    await register(server.url, "typist");
    await fail("typist", 4);
    expect((await logIn(server.url, "typist")).status).toBe(200);
    await fail("typist", 5);
    const refused = await logIn(server.url, "TYPIST");
    expect(refused).toMatchObject({ status: 429, body: { detail: "Too many login attempts" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(880);
    expect((await logIn(server.url, "admin")).status).toBe(200);
    await fail("nobody-at-all", 5);
    expect((await logIn(server.url, "nobody-at-all", "wrong")).status).toBe(429);
  });

  test("many guesses at once do not get round the lock", async () => {
    await register(server.url, "guessed");
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => logIn(server.url, "guessed", "wrong")),
    );
    const tried = answers.filter(({ status }) => status === 401).length;
    expect(tried).toBeGreaterThanOrEqual(5);
    expect(tried).toBeLessThanOrEqual(6);
  });

  test("a lock outlives the server, and holds with RATE_LIMITS=off", async () => {
    const data = await freshDataDirectory();
    const first = await startTestServer({ DATA_DIR: data });
    await register(first.url, "locked");
    for (let attempt = 0; attempt < 5; attempt++) await logIn(first.url, "locked", "wrong");
    await first.quintet.stop();
    const second = await startTestServer({ DATA_DIR: data });
    expect((await logIn(second.url, "locked")).status).toBe(429);
    await second.stop();
  });

  test("an address is locked after 100 failures, and no other is", async () => {
    const proxied = await startTestServer({ TRUSTED_PROXIES: "127.0.0.1" });
    await register(proxied.url, "pupil");
    const from = (address: string) => ({ "X-Forwarded-For": address });
    for (let batch = 0; batch < 5; batch++)
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          logIn(proxied.url, `pupil${batch * 20 + index}`, "wrong", from("192.0.2.7")),
        ),
      );
    expect((await logIn(proxied.url, "pupil", "password", from("192.0.2.7"))).status).toBe(429);
    expect((await logIn(proxied.url, "pupil", "password", from("192.0.2.8"))).status).toBe(200);
    await proxied.stop();
  });
});

test("more logins at once than the queue holds are answered 503, and all others are served", async () => {
  const answers = await Promise.all(Array.from({ length: 320 }, () => logIn(server.url, "admin")));
  const served = answers.filter(({ status }) => status === 200).length;
  const refused = answers.filter(({ status }) => status === 503);
  expect(served).toBeGreaterThanOrEqual(250);
  expect(served + refused.length).toBe(320);
  for (const { headers } of refused) expect(headers.get("retry-after")).toBe("5");
});

(hasPostgres ? describe : describe.skip)("two servers on one database", () => {
  let database: TestPostgres;
  const servers: TestServer[] = [];
  const settings = () => ({
    DATABASE_URL: database.url,
    JWT_SECRET: "one secret of both servers, long enough",
  });

  beforeAll(async () => {
    database = await startPostgres();
    for (let n = 0; n < 2; n++) servers.push(await startTestServer(settings()));
    await register(servers[0]!.url, "boss");
  });

  afterAll(async () => {
    for (const each of servers) await each.stop();
    await database.stop();
  });

  /** Asks until the answer is the wanted one: what one server did reaches the other by a notification. */
  async function becomes(wanted: number, url: string, token: string): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if ((await statusOfMe(url, token)) === wanted) return;
      await Bun.sleep(10);
    }
    throw new Error(`never became ${wanted}`);
  }

  test("logout, a role and a socket's end count on the other one too", async () => {
    const [one, two] = servers.map(({ url }) => url) as [string, string];
    const { access_token: token, refresh_token } = (await logIn(one, "boss")).body;
    expect(await statusOfMe(two, token)).toBe(200);
    const socket = new WebSocket(`${two.replace("http", "ws")}/api/v1/ws/a?token=${token}`);
    await new Promise((resolve) => (socket.onopen = resolve));
    const closed = new Promise((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
    });
    expect((await refresh(refresh_token, two)).status).toBe(200);
    await ask(one, "POST", "/api/v1/auth/logout", { token });
    expect(await closed).toBe(4001);
    await becomes(401, two, token);
  });

  test("a session that ended while the other server was deaf is over there as well", async () => {
    const [one, two] = servers.map(({ url }) => url) as [string, string];
    const { access_token: token } = (await logIn(one, "boss")).body;
    expect(await statusOfMe(two, token)).toBe(200);
    const owner = new Bun.SQL(database.url);
    // The session goes without a word, as when the notification was lost; then every listening connection is cut.
    await owner`delete from identity.sessions`;
    expect(await statusOfMe(two, token)).toBe(200);
    await owner`select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'`;
    await owner.close();
    await becomes(401, two, token);
  });

  test("a broadcast reaches clients of both", async () => {
    const [one, two] = servers.map(({ url }) => url.replace("http", "ws")) as [string, string];
    const token = (await logIn(servers[0]!.url, "boss")).body.access_token;
    const listener = new WebSocket(`${two}/api/v1/ws/listener`);
    await new Promise((resolve) => (listener.onopen = resolve));
    const heard = new Promise((resolve) => {
      listener.onmessage = ({ data }) => resolve(JSON.parse(String(data)));
    });
    const speaker = new WebSocket(`${one}/api/v1/ws/boss?token=${token}`);
    await new Promise((resolve) => (speaker.onopen = resolve));
    speaker.send('{"type":"broadcast","message":"hello"}');
    expect(await heard).toMatchObject({ type: "broadcast", data: { message: "hello" } });
    for (const socket of [listener, speaker]) socket.close();
  });
});

(hasPostgres ? describe : describe.skip)("what other services build on", () => {
  let database: TestPostgres;
  let other: TestServer;
  let sql: ReturnType<typeof postgres>;
  let sessions: Sessions;
  let grants: Grants;
  let time = Date.now();

  beforeAll(async () => {
    database = await startPostgres();
    other = await startTestServer({ DATABASE_URL: database.url });
    await register(other.url, "pupil");
    sql = postgres(database.url);
    const log = createLog("silent");
    const topics = new Topics(new NotifyTransport(sql), log);
    const tokens = new Tokens({
      key: Buffer.from("some key that is long enough here"),
      previous: null,
      now: () => time,
    });
    sessions = new Sessions({ orm: drizzle(sql), topics, tokens, log, now: () => time });
    grants = new Grants({ orm: drizzle(sql), tokens, sessions, now: () => time });
    sessions.start();
  });

  afterAll(async () => {
    await sql.end({ timeout: 1 });
    await other.stop();
    await database.stop();
  });

  test("the Messenger's token slides: a fresh one when more than half is spent, none before, none once the session is over", async () => {
    // The clock of this test starts now: tokens carry the real time of their making.
    time = Date.now();
    const [row] = await sql`select * from identity.accounts`;
    const account = { id: row?.id, username: "pupil", role: "analyst" } as Identity["account"];
    const grant = await grants.begin(account, "messenger");
    expect(grant).toMatchObject({ refreshToken: null, expiresIn: 1800 });
    const identify = async (token: string) => {
      const found = await sessions.identify(token);
      if (found instanceof Failure) throw found;
      return found;
    };
    const identity = await identify(grant.accessToken);
    expect(identity.surface).toBe("messenger");
    time += 890_000;
    expect(await grants.renew(identity)).toBeNull();
    time += 20_000;
    const fresh = await grants.renew(identity);
    expect((await identify(fresh ?? "")).sessionId).toBe(identity.sessionId);
    await sessions.end(identity.sessionId);
    expect(await grants.renew(identity)).toBeNull();
    expect(await sessions.identify(grant.accessToken)).toBeInstanceOf(Failure);
  });

  test("Logger's way of locking: the address, for an hour, with 423", async () => {
    const locks = new LoginLocks(drizzle(postgres(database.url)));
    const attempt = (username: string) => ({ address: "192.0.2.1", username, mode: "address" as const });
    for (let n = 0; n < 4; n++) expect(await locks.fail(attempt(`name${n}`))).toBe(false);
    await locks.check(attempt("name"));
    expect(await locks.fail(attempt("name"))).toBe(true);
    const refused = await locks.check(attempt("another")).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: "locked" });
    expect((refused as Failure).options.retryAfter).toBeGreaterThan(3590);
    await sql`update identity.login_failures set locked_until = now()`;
    await locks.check(attempt("another"));
    expect(await locks.fail(attempt("another"))).toBe(false);
    await locks.succeed(attempt("another"));
    expect(await sql`select 1 from identity.login_failures`).toHaveLength(0);
  });
});
