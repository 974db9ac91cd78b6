/** Logs come in: many at once, poison among them, caps, batches, access levels, a server that is killed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../support/accounts.ts";
import { openEmbedded } from "../support/database.ts";
import { administrator, findLogs, makeProject, sendLog, until } from "../support/logger.ts";
import { startProcess } from "../support/process.ts";
import { freshDataDirectory, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let token: string;

beforeAll(async () => {
  server = await startTestServer({ TRUSTED_PROXIES: "127.0.0.1" });
  token = await administrator(server.url);
});

afterAll(() => server.stop());

const from = (address: string) => ({ "X-Forwarded-For": address });

test("500 at once are all stored, once, and each is answered with its own", async () => {
  const uuid = await makeProject(server.url, token);
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => sendLog(server.url, uuid, { message: `message ${n}` })),
  );
  expect(answers.every(({ status, body }, n) => status === 201 && body.message === `message ${n}`)).toBe(
    true,
  );
  const found = await findLogs(server.url, token, uuid);
  expect(new Set(found.map(({ message }) => message)).size).toBe(500);
  expect(new Set(answers.map(({ body }) => body._id))).toEqual(new Set(found.map(({ _id }) => _id)));
});

test("poison is refused alone: its sender gets the 400, everybody else a 201", async () => {
  const uuid = await makeProject(server.url, token);
  const poison = [
    { message: "NUL \u0000 inside" },
    { level: "\ud800 half a pair" },
    { metadata: { extra: "\u0000" } },
    { metadata: { "\udc00": 1 } },
    { tags: ["\u0000"] },
  ];
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => sendLog(server.url, uuid, n % 12 === 0 ? poison[n / 12] : {})),
  );
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 60 }, (_, n) => (n % 12 === 0 ? 400 : 201)),
  );
  expect(await findLogs(server.url, token, uuid)).toHaveLength(55);
});

test("what only looks like poison is stored as it is", async () => {
  const uuid = await makeProject(server.url, token);
  const message = 'C:\\u0000dir \\ud800 {"a",NULL} \\\\ "quoted" , } \n\t end\\';
  const log = {
    message,
    tags: ['a"b', "c\\d", "{}", "NULL", ","],
    metadata: { service: message, extra: [message] },
  };
  const { status } = await sendLog(server.url, uuid, log);
  expect(status).toBe(201);
  expect((await findLogs(server.url, token, uuid))[0]).toMatchObject(log);
});

test("metadata nested too deeply for the database is refused alone", async () => {
  const uuid = await makeProject(server.url, token);
  const extra = JSON.parse(`${"[".repeat(30_000)}${"]".repeat(30_000)}`);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => sendLog(server.url, uuid, n === 7 ? { metadata: { extra } } : {})),
  );
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 20 }, (_, n) => (n === 7 ? 400 : 201)),
  );
});

test("what only the database refuses is found by halving", async () => {
  const uuid = await makeProject(server.url, token);
  const database = openEmbedded(server.dataDirectory);
  await database`alter table logger.logs add constraint odd check (message <> 'poison')`;
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      sendLog(server.url, uuid, { message: n === 37 ? "poison" : "fine" }),
    ),
  );
  await database`alter table logger.logs drop constraint odd`;
  await database.close();
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(1);
  expect(answers[37]!.status).toBe(400);
  expect(await findLogs(server.url, token, uuid)).toHaveLength(99);
});

test("a cap holds exactly, also when many come at once; deleting makes room", async () => {
  const uuid = await makeProject(server.url, token, { maxLogEntries: 20 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => sendLog(server.url, uuid)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
  const refused = answers.find(({ status }) => status === 409);
  expect(refused?.body).toEqual({
    message: "Достигнут предел логов проекта: 20",
    code: "LOG_LIMIT_EXCEEDED",
  });
  await ask(server.url, "DELETE", `/api/logs/${uuid}`, { token });
  expect((await sendLog(server.url, uuid)).status).toBe(201);
  await ask(server.url, "PUT", `/api/projects/${uuid}`, { token, body: { maxLogEntries: 1 } });
  expect((await sendLog(server.url, uuid)).status).toBe(409);
  await ask(server.url, "PUT", `/api/projects/${uuid}`, { token, body: { maxLogEntries: 0 } });
  expect((await sendLog(server.url, uuid)).status).toBe(201);
});

test("times of every age go where they belong; days to come have their partition", async () => {
  const uuid = await makeProject(server.url, token);
  const day = 86_400_000;
  const times = [
    0,
    946_684_800_000,
    Date.now() - 400 * day,
    Date.now() - day,
    Date.now(),
    Date.now() + 1.9 * day,
  ];
  for (const time of times)
    expect((await sendLog(server.url, uuid, { timestamp: new Date(time).toISOString() })).status).toBe(201);
  const found = await findLogs(server.url, token, uuid);
  expect(found.map(({ timestamp }) => Date.parse(timestamp))).toEqual(times.toReversed());
  for (const { _id } of found)
    expect(await findLogs(server.url, token, uuid, `logId=${_id}`)).toHaveLength(1);
});

describe("access levels", () => {
  test("whitelist takes only trusted addresses, docker only private ones", async () => {
    const trusted = await makeProject(server.url, token, { accessLevel: "whitelist" });
    const docker = await makeProject(server.url, token, { accessLevel: "docker" });
    const global = await makeProject(server.url, token);
    await ask(server.url, "POST", "/api/settings/whitelist", { token, body: { ip: "198.51.100.0/24" } });
    const statuses = async (address: string) =>
      (
        await Promise.all(
          [trusted, docker, global].map((uuid) => sendLog(server.url, uuid, {}, from(address))),
        )
      ).map(({ status }) => status);
    expect(await statuses("198.51.100.7")).toEqual([201, 403, 201]);
    expect(await statuses("203.0.113.7")).toEqual([403, 403, 201]);
    expect(await statuses("172.18.0.5")).toEqual([403, 201, 201]);
    expect(await statuses("127.0.0.1")).toEqual([201, 201, 201]);
  });

  test("the blacklist shuts out before all else, networks too, and lets in again", async () => {
    const uuid = await makeProject(server.url, token);
    const { body: block } = await ask(server.url, "POST", "/api/settings/blacklist", {
      token,
      body: { ip: "203.0.113.0/24", reason: "спам" },
    });
    const refused = await sendLog(server.url, uuid, {}, from("203.0.113.99"));
    expect(refused).toMatchObject({ status: 403, body: { message: "IP заблокирован", code: "IP_BLOCKED" } });
    const login = await ask(server.url, "POST", "/api/auth/login", {
      body: {},
      headers: from("203.0.113.1"),
    });
    expect(login.status).toBeOneOf([400, 403]);
    expect(
      (await ask(server.url, "GET", "/api/projects", { token, headers: from("203.0.113.1") })).status,
    ).toBe(403);
    await ask(server.url, "DELETE", `/api/settings/blacklist/${block._id}`, { token });
    expect((await sendLog(server.url, uuid, {}, from("203.0.113.99"))).status).toBe(201);
    const noted = await until(async () => {
      const found = await findLogs(server.url, token, "logger-system", "tag=BLOCKED");
      return found.length > 0 ? found : null;
    });
    expect(noted[0]).toMatchObject({
      level: "SECURITY",
      metadata: { ip: expect.stringContaining("203.0.113.") },
    });
  });

  test("the rate limit counts addresses, and is told by every answer", async () => {
    const limited = await startTestServer({ RATE_LIMITS: "on", TRUSTED_PROXIES: "127.0.0.1" });
    const admin = await administrator(limited.url);
    await ask(limited.url, "PUT", "/api/settings/rate-limit", {
      token: admin,
      body: { rateLimitPerMinute: 5 },
    });
    const uuid = await makeProject(limited.url, admin);
    const docker = await makeProject(limited.url, admin, { accessLevel: "docker" });
    const answers = [];
    for (let n = 0; n < 7; n++) answers.push(await sendLog(limited.url, uuid, {}, from("10.1.1.1")));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 429, 429]);
    expect(answers[0]!.body.rateLimitPerMinute).toBe(5);
    expect(answers[0]!.headers.get("x-ratelimit-remaining")).toBe("4");
    expect(answers[6]!.body).toEqual({ message: "Превышен лимит запросов" });
    expect(Number(answers[6]!.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await sendLog(limited.url, docker, {}, from("10.1.1.1"))).status).toBe(201);
    expect((await sendLog(limited.url, uuid)).status).toBe(201);
    await ask(limited.url, "POST", "/api/settings/whitelist", { token: admin, body: { ip: "10.1.1.1" } });
    expect((await sendLog(limited.url, uuid, {}, from("10.1.1.1"))).status).toBe(201);
    await limited.stop();
  });
});

describe("batches", () => {
  const post = async (uuid: string, body: string | Uint8Array, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.url}/api/logs/batch?uuid=${uuid}`, {
      method: "POST",
      body: body as string,
      headers,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const lines = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ level: "INFO", message: `line ${n}` }));
  const ndjson = (count: number) =>
    lines(count)
      .map((line) => JSON.stringify(line))
      .join("\n");

  test("an array, an object, NDJSON; plain, gzip and zstd; 10,000 at once", async () => {
    const uuid = await makeProject(server.url, token);
    const all = { message: "Логи приняты", refused: 0, errors: [] };
    expect(await post(uuid, JSON.stringify(lines(3)))).toEqual({
      status: 201,
      body: { ...all, accepted: 3 },
    });
    expect(await post("", JSON.stringify({ uuid, logs: lines(3) }))).toEqual({
      status: 201,
      body: { ...all, accepted: 3 },
    });
    expect(await post(uuid, `${ndjson(3)}\n\n`)).toEqual({ status: 201, body: { ...all, accepted: 3 } });
    expect(await post(uuid, JSON.stringify(lines(1)[0]))).toEqual({
      status: 201,
      body: { ...all, accepted: 1 },
    });
    const gzip = Bun.gzipSync(Buffer.from(ndjson(1000)));
    expect((await post(uuid, gzip, { "Content-Encoding": "gzip" })).body.accepted).toBe(1000);
    const zstd = Bun.zstdCompressSync(Buffer.from(ndjson(10_000)));
    expect((await post(uuid, zstd, { "Content-Encoding": "zstd" })).body.accepted).toBe(10_000);
    const { body } = await ask(server.url, "DELETE", `/api/logs/${uuid}`, { token });
    expect(body).toEqual({ deleted: 11_010 });
  });

  test("what is refused is told by its place, and the rest is stored", async () => {
    const uuid = await makeProject(server.url, token);
    const body = [
      '{"level":"INFO","message":"a"}',
      "{broken",
      '{"level":"INFO"}',
      '{"level":"INFO","message":"\\u0000"}',
      '{"level":"INFO","message":"b"}',
    ];
    expect(await post(uuid, body.join("\n"))).toEqual({
      status: 201,
      body: {
        message: "Логи приняты",
        accepted: 2,
        refused: 3,
        errors: [
          { index: 1, message: "Ошибка валидации", errors: [{ field: "", message: "Обязательное поле" }] },
          {
            index: 2,
            message: "Ошибка валидации",
            errors: [{ field: "message", message: "Обязательное поле" }],
          },
          { index: 3, message: "Лог содержит недопустимые символы" },
        ],
      },
    });
    expect((await post(uuid, "[{}]")).status).toBe(400);
  });

  test("too many, none, broken, a bomb", async () => {
    const uuid = await makeProject(server.url, token);
    expect((await post(uuid, ndjson(10_001))).status).toBe(413);
    expect((await post(uuid, "")).status).toBe(400);
    expect((await post(uuid, "[{]")).status).toBe(400);
    expect((await post("unknown", ndjson(1))).status).toBe(404);
    expect((await post(uuid, "not packed", { "Content-Encoding": "gzip" })).status).toBe(400);
    expect((await post(uuid, "x", { "Content-Encoding": "br" })).status).toBe(400);
    const bomb = Bun.gzipSync(Buffer.alloc(80 * 1024 * 1024, " "));
    expect((await post(uuid, bomb, { "Content-Encoding": "gzip" })).status).toBe(413);
  });
});

test("killed while eight clients write, every acknowledged log is there exactly once", async () => {
  const data = await freshDataDirectory();
  let running = await startProcess(data);
  const admin = await administrator(running.url);
  const uuid = await makeProject(running.url, admin);
  const acknowledged = new Set<string>();
  for (let kill = 0; kill < 3; kill++) {
    let isOver = false;
    const client = async (name: number) => {
      for (let n = 0; !isOver; n++) {
        const message = `${kill} ${name} ${n}`;
        const sent = await sendLog(running.url, uuid, { message }).catch(() => null);
        if (sent?.status === 201) acknowledged.add(message);
      }
    };
    const clients = Array.from({ length: 8 }, (_, name) => client(name));
    await Bun.sleep(300 + Math.random() * 500);
    running.kill("SIGKILL");
    await running.exited;
    isOver = true;
    await Promise.all(clients);
    running = await startProcess(data);
  }
  const stored: string[] = [];
  for (let before = ""; ; ) {
    const page = await findLogs(running.url, admin, uuid, `limit=5000${before}`);
    stored.push(...page.map(({ message }) => message));
    if (page.length < 5000) break;
    before = `&before=${page.at(-1)!._id}`;
  }
  running.kill("SIGTERM");
  await running.exited;
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(new Set(stored).size).toBe(stored.length);
  const kept = new Set(stored);
  expect([...acknowledged].filter((message) => !kept.has(message))).toEqual([]);
});

test("logs older than the retention are refused; whole days beyond it are dropped", async () => {
  const data = await freshDataDirectory();
  const day = 86_400_000;
  const first = await startTestServer({ DATA_DIR: data });
  const admin = await administrator(first.url);
  const uuid = await makeProject(first.url, admin);
  const short = await makeProject(first.url, admin, { retentionDays: 1 });
  const old = new Date(Date.now() - 40 * day).toISOString();
  for (const project of [uuid, short])
    for (const timestamp of [old, new Date().toISOString()]) await sendLog(first.url, project, { timestamp });
  await first.quintet.stop();
  const second = await startTestServer({ DATA_DIR: data, LOGGER_RETENTION_DAYS: "60" });
  const admin2 = admin;
  await until(async () => (await findLogs(second.url, admin2, short)).length === 1);
  expect(await findLogs(second.url, admin2, uuid)).toHaveLength(2);
  await second.quintet.stop();
  const third = await startTestServer({ DATA_DIR: data, LOGGER_RETENTION_DAYS: "30" });
  await until(async () => (await findLogs(third.url, admin2, uuid)).length === 1);
  expect((await sendLog(third.url, uuid, { timestamp: old })).body).toEqual({
    message: "Ошибка валидации",
    errors: [{ field: "log.timestamp", message: "Дата старше срока хранения логов" }],
  });
  await third.stop();
});
