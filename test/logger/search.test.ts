/** Logs are found, counted, handed out and followed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../support/accounts.ts";
import { administrator, findLogs, makeProject, sendLog, until } from "../support/logger.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let token: string;
let uuid: string;
const start = Date.parse("2026-01-05T00:00:00Z");
const levels = ["INFO", "ERROR", "WARNING"];

beforeAll(async () => {
  server = await startTestServer();
  token = await administrator(server.url);
  uuid = await makeProject(server.url, token);
  const logs = Array.from({ length: 3000 }, (_, n) => ({
    level: levels[n % 3],
    message: n === 1234 ? 'Иголка, "в" стоге\n=1+1' : `сено ${n}`,
    tags: n % 10 === 0 ? ["TEN"] : [],
    timestamp: new Date(start + Math.floor(n / 3) * 60_000).toISOString(),
    metadata: { service: n % 2 ? "odd" : "even", user: `user-${n % 7}` },
  }));
  const body = JSON.stringify({ uuid, logs });
  const response = await fetch(`${server.url}/api/logs/batch`, { method: "POST", body });
  expect(response.status).toBe(201);
});

afterAll(() => server.stop());

test("pages follow one another by key, without gap or repeat, although three logs share each time", async () => {
  const ids: string[] = [];
  for (let before = ""; ; ) {
    const page = await findLogs(server.url, token, uuid, `limit=100${before}`);
    ids.push(...page.map(({ _id }) => _id));
    if (page.length < 100) break;
    before = `&before=${page.at(-1)!._id}`;
  }
  expect(new Set(ids).size).toBe(3000);
  expect(ids).toHaveLength(3000);
});

test("words in any case and alphabet, taken as they are", async () => {
  for (const text of ["иголка", "ИГОЛКА", '"в" СТОГЕ'])
    expect(await findLogs(server.url, token, uuid, `text=${encodeURIComponent(text)}`)).toHaveLength(1);
  for (const text of ["%", "_", "\\", "иголка%", "' or 1=1 --"])
    expect(await findLogs(server.url, token, uuid, `text=${encodeURIComponent(text)}`)).toHaveLength(0);
});

test("the histogram counts every level in every step", async () => {
  const query = `startDate=${new Date(start).toISOString()}&endDate=${new Date(start + 1000 * 60_000 - 1).toISOString()}&interval=1h`;
  const { body } = await ask(server.url, "GET", `/api/projects/${uuid}/histogram?${query}`, { token });
  expect(body.intervalSeconds).toBe(3600);
  expect(body.buckets).toHaveLength(17);
  expect(body.buckets[0]).toEqual({
    start: "2026-01-05T00:00:00.000Z",
    total: 180,
    levels: { ERROR: 60, INFO: 60, WARNING: 60 },
  });
  const total = (body.buckets as { total: number }[]).reduce((sum, bucket) => sum + bucket.total, 0);
  expect(total).toBe(3000);
  const fine = `/api/projects/${uuid}/histogram?startDate=2020-01-01&endDate=2026-01-01&interval=1m`;
  expect((await ask(server.url, "GET", fine, { token })).status).toBe(400);
});

test("facets tell the commonest values", async () => {
  const { body } = await ask(server.url, "GET", `/api/projects/${uuid}/facets?level=ERROR&top=2`, { token });
  expect(body.sampled).toBe(1000);
  expect(body.facets.level).toEqual([{ value: "ERROR", count: 1000 }]);
  expect(body.facets.service).toEqual([
    { value: "even", count: 500 },
    { value: "odd", count: 500 },
  ]);
  expect(body.facets.tag).toEqual([{ value: "TEN", count: 100 }]);
  expect(body.facets.user).toHaveLength(2);
});

describe("export", () => {
  const fetchExport = (query: string) =>
    fetch(`${server.url}/api/projects/${uuid}/export?${query}`, {
      headers: { Authorization: `Bearer ${token}` },
    });

  test("NDJSON: every log, streamed page by page", async () => {
    const response = await fetchExport("");
    expect(response.headers.get("content-type")).toContain("application/x-ndjson");
    const lines = (await response.text()).trimEnd().split("\n");
    expect(lines).toHaveLength(3000);
    expect(JSON.parse(lines[0]!)).toMatchObject({ projectUuid: uuid, message: "сено 2999" });
  });

  test("CSV: quoted, with a byte order mark, formulas made harmless", async () => {
    const uuid2 = await makeProject(server.url, token);
    await sendLog(server.url, uuid2, {
      message: '=HYPERLINK("x"),1',
      tags: ["A", "B"],
      metadata: { user: "+1" },
    });
    const response = await fetch(`${server.url}/api/projects/${uuid2}/export?format=csv`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 3).toString("hex")).toBe("efbbbf");
    const [head, line] = bytes.subarray(3).toString().split("\r\n");
    expect(head).toBe("_id,timestamp,level,message,tags,service,user,ip,clientIP,metadata");
    expect(line).toContain(`,INFO,"'=HYPERLINK(""x""),1",A B,,'+1,,127.0.0.1,"{""user"":""+1""}"`);
    expect(response.headers.get("content-disposition")).toBe(`attachment; filename="logs-${uuid2}.csv"`);
  });

  test("without a token, unknown project, unknown format", async () => {
    expect((await fetch(`${server.url}/api/projects/${uuid}/export`)).status).toBe(401);
    expect((await ask(server.url, "GET", "/api/projects/x/export", { token })).status).toBe(404);
    expect((await ask(server.url, "GET", `/api/projects/${uuid}/export?format=xml`, { token })).status).toBe(
      400,
    );
  });
});

function follow(url: string, project: string, query: string) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/projects/${project}/tail?${query}`);
  const heard: { message: string }[] = [];
  socket.onmessage = ({ data }) => heard.push(JSON.parse(String(data)));
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  const opened = new Promise((resolve) => {
    socket.onopen = resolve;
  });
  return { socket, heard, closed, opened };
}

describe("the live tail", () => {
  test("tells what matches the filters, of that project alone", async () => {
    const project = await makeProject(server.url, token);
    const tail = follow(server.url, project, `token=${token}&level=ERROR&text=${encodeURIComponent("СБОЙ")}`);
    await tail.opened;
    await sendLog(server.url, project, { level: "INFO", message: "сбой" });
    await sendLog(server.url, project, { level: "ERROR", message: "ничего" });
    await sendLog(server.url, uuid, { level: "ERROR", message: "сбой у других" });
    const { body } = await sendLog(server.url, project, {
      level: "ERROR",
      message: "Первый сбой",
      tags: ["A"],
    });
    await until(() => tail.heard.length > 0);
    const { rateLimitPerMinute: _, ...log } = body;
    expect(tail.heard as object[]).toEqual([log]);
    tail.socket.close();
  });

  test("refuses whoever may not look, and ends with the session", async () => {
    expect(await follow(server.url, uuid, "token=bad").closed).toBe(4001);
    expect(await follow(server.url, uuid, "").closed).toBe(4001);
    expect(await follow(server.url, "unknown", `token=${token}`).closed).toBe(4404);
    expect(await follow(server.url, uuid, `token=${token}&levle=x`).closed).toBe(4400);
    const { body } = await ask(server.url, "POST", "/api/auth/login", {
      body: { username: "admin", password: "password" },
    });
    const tail = follow(server.url, uuid, `token=${body.token}`);
    await tail.opened;
    await ask(server.url, "POST", "/api/v1/auth/logout", { token: body.token });
    expect(await tail.closed).toBe(4001);
  });
});

(hasPostgres ? describe : describe.skip)("two servers on one database", () => {
  let database: TestPostgres;
  const servers: TestServer[] = [];
  let admin: string;

  beforeAll(async () => {
    database = await startPostgres();
    const settings = {
      DATABASE_URL: database.url,
      JWT_SECRET: "one secret of both servers, long enough",
      TRUSTED_PROXIES: "127.0.0.1",
    };
    for (let n = 0; n < 2; n++) servers.push(await startTestServer(settings));
    admin = await administrator(servers[0]!.url);
  });

  afterAll(async () => {
    for (const each of servers) await each.stop();
    await database.stop();
  });

  test("a block and a rate limit made on one hold on the other within a second", async () => {
    const [one, two] = servers.map(({ url }) => url) as [string, string];
    const project = await makeProject(one, admin);
    const from = { "X-Forwarded-For": "203.0.113.5" };
    expect((await sendLog(two, project, {}, from)).status).toBe(201);
    await ask(one, "POST", "/api/settings/blacklist", {
      token: admin,
      body: { ip: "203.0.113.5", reason: "x" },
    });
    await ask(one, "PUT", "/api/settings/rate-limit", { token: admin, body: { rateLimitPerMinute: 77 } });
    await until(async () => (await sendLog(two, project, {}, from)).status === 403, 1);
    await until(async () => (await sendLog(two, project)).body.rateLimitPerMinute === 77, 1);
  });

  test("a tail on one hears of what the other stored", async () => {
    const [one, two] = servers.map(({ url }) => url) as [string, string];
    const project = await makeProject(one, admin);
    const tail = follow(one, project, `token=${admin}&level=INFO`);
    await tail.opened;
    await until(async () => {
      await sendLog(two, project, { message: "from afar" });
      return tail.heard.length > 0;
    });
    expect(tail.heard[0]).toMatchObject({ message: "from afar", projectUuid: project });
    tail.socket.close();
  });
});
