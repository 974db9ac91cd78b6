/** Every request and answer of `specs/logger.md`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, logIn, register } from "../support/accounts.ts";
import { type Example, testExamples } from "../support/contract.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let target: Bun.Server<undefined>;
let token: string;
let pupil: string;
let project: string;
let other: string;
let service: string;
let block: string;

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const objectId = expect.stringMatching(/^[0-9a-f]{24}$/);
const url = () => server.url;
const bearer = {
  get Authorization() {
    return `Bearer ${token}`;
  },
};

/** An example whose path and body may hold what earlier answers gave: it is made when the test runs. */
function examples(list: () => Example[], names: string[]): void {
  for (const [index, name] of names.entries())
    test(name, async () => {
      const example = list()[index]!;
      const { status, body } = await ask(url(), example.method, example.path, {
        ...(example.body === undefined ? {} : { body: example.body }),
        headers: example.headers ?? bearer,
      });
      expect({ name, status, body }).toEqual({
        name,
        status: example.status,
        body: example.answer ?? expect.anything(),
      });
    });
}

beforeAll(async () => {
  server = await startTestServer({ ADMIN_IP: "10.9.8.7" });
  await register(url(), "admin", "secret");
  pupil = await register(url(), "pupil");
  target = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
});

afterAll(async () => {
  await target.stop(true);
  await server.stop();
});

describe("2 login", () => {
  test("the document's example", async () => {
    const { status, body } = await ask(url(), "POST", "/api/auth/login", {
      body: { username: "admin", password: "secret" },
    });
    expect({ status, body }).toEqual({
      status: 200,
      body: { token: expect.stringMatching(/^eyJ/), expiresIn: 3600 },
    });
    token = body.token;
  });

  testExamples(url, [
    {
      name: "wrong",
      method: "POST",
      path: "/api/auth/login",
      body: { username: "admin", password: "x" },
      status: 401,
      answer: { message: "Неверные учётные данные" },
    },
    {
      name: "no administrator",
      method: "POST",
      path: "/api/auth/login",
      body: { username: "pupil", password: "password" },
      status: 401,
    },
    {
      name: "nothing",
      method: "POST",
      path: "/api/auth/login",
      body: {},
      status: 400,
      answer: {
        message: "Ошибка валидации",
        errors: [
          { field: "username", message: "field required" },
          { field: "password", message: "field required" },
        ],
      },
    },
    { name: "no JSON", method: "POST", path: "/api/auth/login", body: "{", status: 400 },
    {
      name: "unknown path",
      method: "GET",
      path: "/api/auth/else",
      status: 404,
      answer: { message: "Not Found" },
    },
    {
      name: "wrong method",
      method: "GET",
      path: "/api/auth/login",
      status: 405,
      answerHeaders: { allow: "POST" },
    },
    {
      name: "no token",
      method: "GET",
      path: "/api/projects",
      status: 401,
      answer: { message: "Требуется авторизация" },
    },
    {
      name: "a bad token",
      method: "GET",
      path: "/api/projects",
      headers: { Authorization: "Bearer x" },
      status: 401,
      answer: { message: "Требуется авторизация" },
    },
  ]);

  test("an account without the role", async () => {
    const answer = await ask(url(), "GET", "/api/projects", { token: pupil });
    expect(answer).toMatchObject({ status: 403, body: { message: "Недостаточно прав" } });
  });

  test("a token of any login of an administrator is good here, and ours elsewhere", async () => {
    const { body } = await logIn(url(), "admin", "secret");
    expect((await ask(url(), "GET", "/api/projects", { token: body.access_token })).status).toBe(200);
    expect((await ask(url(), "GET", "/api/v1/users/me", { token })).status).toBe(200);
  });
});

const given = {
  name: "Orders Service",
  description: "Обработка заказов",
  logFormat: { level: "string", message: "string" },
  defaultTags: ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
  customTags: ["PAYMENT"],
  accessLevel: "global",
  telegramNotify: {
    enabled: true,
    recipients: [{ chatId: "123456", tags: ["ERROR", "CRITICAL"] }],
    antiSpamInterval: 30,
  },
  debugMode: false,
};
const ours = {
  emailNotify: { enabled: false, recipients: [] },
  webhookNotify: null,
  maxLogEntries: 0,
  retentionDays: 0,
  telegramLinks: { subscribe: null, unsubscribe: null },
};
const projectView = (fields: object = {}) => ({
  ...given,
  ...ours,
  _id: objectId,
  uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
  createdAt: time,
  updatedAt: time,
  ...fields,
});
const noProject = { message: "Проект не найден" };

describe("3 projects", () => {
  test("3.1 the document's example", async () => {
    const { status, body } = await ask(url(), "POST", "/api/projects", { token, body: given });
    expect({ status, body }).toEqual({ status: 201, body: projectView() });
    project = body.uuid;
    other = (await ask(url(), "POST", "/api/projects/", { token, body: { name: "Другой" } })).body.uuid;
  });

  examples(
    () => [
      {
        name: "",
        method: "POST",
        path: "/api/projects",
        body: { name: "ab" },
        status: 400,
        answer: {
          message: "Ошибка валидации",
          errors: [{ field: "name", message: "ensure this value has at least 3 characters" }],
        },
      },
      {
        name: "",
        method: "POST",
        path: "/api/projects",
        body: { name: "abc", accessLevel: "secret" },
        status: 400,
      },
      {
        name: "",
        method: "GET",
        path: "/api/projects",
        status: 200,
        answer: [
          expect.objectContaining({
            uuid: other,
            customTags: [],
            accessLevel: "global",
            telegramNotify: { enabled: false, recipients: [], antiSpamInterval: 15 },
          }),
          projectView(),
          expect.objectContaining({ uuid: "logger-system" }),
        ],
      },
      { name: "", method: "GET", path: `/api/projects/${project}`, status: 200, answer: projectView() },
      { name: "", method: "GET", path: "/api/projects/unknown", status: 404, answer: noProject },
      {
        name: "",
        method: "PUT",
        path: `/api/projects/${project}`,
        body: { description: "Новое" },
        status: 200,
        answer: projectView({ description: "Новое" }),
      },
      {
        name: "",
        method: "PUT",
        path: `/api/projects/${project}`,
        body: { uuid: project, name: "Orders" },
        status: 200,
        answer: projectView({ description: "Новое", name: "Orders" }),
      },
      {
        name: "",
        method: "PUT",
        path: `/api/projects/${project}`,
        body: { uuid: other },
        status: 400,
        answer: { message: "UUID проекта менять нельзя" },
      },
      { name: "", method: "PUT", path: "/api/projects/unknown", body: {}, status: 404, answer: noProject },
      {
        name: "",
        method: "DELETE",
        path: "/api/projects/logger-system",
        status: 400,
        answer: { message: "Системный проект нельзя удалить" },
      },
      { name: "", method: "DELETE", path: "/api/projects/unknown", status: 404, answer: noProject },
    ],
    [
      "a name too short",
      "an unknown access level",
      "3.2 list, newest first, with defaults",
      "3.3 one",
      "3.3 unknown",
      "3.4 change",
      "3.4 the same uuid",
      "3.4 another uuid",
      "3.4 unknown",
      "3.5 the system's own",
      "3.5 unknown",
    ],
  );
});

describe("4 ping services", () => {
  const serviceView = (fields: object = {}) => ({
    _id: objectId,
    projectUuid: project,
    name: "Billing health-check",
    url: target.url.href,
    interval: 60,
    telegramTags: ["PING_DOWN"],
    lastStatus: "ok",
    lastCheckedAt: time,
    lastResponseTimeMs: expect.any(Number),
    lastError: null,
    certificateExpiresAt: null,
    createdAt: time,
    updatedAt: time,
    ...fields,
  });
  const path = (rest = "") => `/api/projects/${project}/ping-services${rest}`;

  test("4.1 the document's example", async () => {
    const body = {
      name: "Billing health-check",
      url: target.url.href,
      interval: 60,
      telegramTags: ["PING_DOWN"],
    };
    const { status, body: made } = await ask(url(), "POST", path(), { token, body });
    service = made._id;
    expect({ status, made }).toEqual({ status: 201, made: serviceView() });
  });

  examples(
    () => [
      { name: "", method: "GET", path: path(), status: 200, answer: [serviceView()] },
      { name: "", method: "GET", path: path("/"), status: 200, answer: [serviceView()] },
      { name: "", method: "POST", path: path("/check"), status: 200, answer: [serviceView()] },
      {
        name: "",
        method: "POST",
        path: path("/check"),
        body: { serviceId: service },
        status: 200,
        answer: [serviceView()],
      },
      {
        name: "",
        method: "POST",
        path: path("/check"),
        body: { serviceId: "0".repeat(24) },
        status: 404,
        answer: { message: "Ping-сервис не найден" },
      },
      {
        name: "",
        method: "PUT",
        path: path(`/${service}`),
        body: { interval: 120, telegramTags: ["PING_DOWN", "CRITICAL"] },
        status: 200,
        answer: serviceView({ interval: 120, telegramTags: ["PING_DOWN", "CRITICAL"] }),
      },
      { name: "", method: "PUT", path: path(`/${service}`), body: { interval: 4 }, status: 400 },
      {
        name: "",
        method: "PUT",
        path: path("/unknown"),
        body: {},
        status: 404,
        answer: { message: "Ping-сервис не найден" },
      },
      { name: "", method: "POST", path: path(), body: { name: "x", url: "http://x/" }, status: 400 },
      {
        name: "",
        method: "POST",
        path: path(),
        body: { name: "file", url: "file:///etc/passwd" },
        status: 400,
      },
      {
        name: "",
        method: "GET",
        path: "/api/projects/unknown/ping-services",
        status: 404,
        answer: noProject,
      },
      {
        name: "",
        method: "GET",
        path: path(`/${service}/history`),
        status: 200,
        answer: {
          service: serviceView({ interval: 120, telegramTags: ["PING_DOWN", "CRITICAL"] }),
          uptime: {
            "24h": { uptime: 100, coverage: 100, averageResponseTimeMs: expect.any(Number) },
            "7d": expect.anything(),
            "30d": expect.anything(),
          },
          history: expect.any(Array),
          events: [{ at: time, status: "ok", error: null }],
        },
      },
      {
        name: "",
        method: "DELETE",
        path: path(`/${service}`),
        status: 200,
        answer: { message: "Ping-сервис удален", serviceId: service },
      },
      {
        name: "",
        method: "DELETE",
        path: path(`/${service}`),
        status: 404,
        answer: { message: "Ping-сервис не найден" },
      },
    ],
    [
      "4.2 list",
      "4.2 list with a slash",
      "4.3 check all",
      "4.3 check one",
      "4.3 an unknown one",
      "4.4 change",
      "4.4 too often",
      "4.4 unknown",
      "a name too short",
      "no web address",
      "an unknown project",
      "history",
      "4.5 remove",
      "4.5 again",
    ],
  );
});

describe("5 logs", () => {
  const log = {
    level: "ERROR",
    message: "Ошибка оплаты",
    tags: ["PAYMENT"],
    timestamp: "2024-05-20T10:00:00.000Z",
    metadata: { ip: "10.0.0.5", service: "billing", user: "user-1", extra: { orderId: "A-42" } },
  };
  const logView = () => ({ _id: objectId, projectUuid: project, ...log, clientIP: "127.0.0.1" });
  const anybody = {};
  let id: string;

  test("5.1 the document's example, without a token", async () => {
    const { status, body } = await ask(url(), "POST", "/api/logs", { body: { uuid: project, log } });
    expect({ status, body }).toEqual({ status: 201, body: { ...logView(), rateLimitPerMinute: 120 } });
    id = body._id;
  });

  const found = () => ({ project: projectView({ name: "Orders", description: "Новое" }), logs: [logView()] });
  const nothing = () => ({ ...found(), logs: [] });
  const filters = [
    "level=ERROR",
    "text=%D0%9E%D0%9F%D0%9B%D0%90%D0%A2",
    "tag=PAYMENT",
    "user=user-1",
    "ip=10.0.0.5",
    "ip=127.0.0.1",
    "service=billing",
    "startDate=2024-05-20T10:00:00.000Z&endDate=2024-05-20T10:00:00.000Z",
  ];
  const misses = [
    "level=INFO",
    "text=%25",
    "tag=PAY",
    "user=user",
    "ip=10.0.0.6",
    "service=b",
    "startDate=2024-05-20T10:00:00.001Z",
  ];

  test("5.2 and 3.6 every filter, alone and together", async () => {
    for (const where of [`/api/projects/${project}/logs?`, `/api/logs?uuid=${project}&`]) {
      for (const query of ["", ...filters, filters.slice(0, 5).join("&"), `logId=${id}`])
        expect({ query, body: (await ask(url(), "GET", where + query, { token })).body }).toEqual({
          query,
          body: found(),
        });
      for (const query of [...misses, `logId=${"0".repeat(24)}`])
        expect({ query, body: (await ask(url(), "GET", where + query, { token })).body }).toEqual({
          query,
          body: nothing(),
        });
    }
  });

  examples(
    () => [
      { name: "", method: "GET", path: "/api/logs", status: 400 },
      { name: "", method: "GET", path: "/api/logs?uuid=unknown", status: 404, answer: noProject },
      { name: "", method: "GET", path: `/api/logs?uuid=${project}&startDate=yesterday`, status: 400 },
      { name: "", method: "GET", path: `/api/logs?uuid=${project}&limit=5001`, status: 400 },
      { name: "", method: "GET", path: `/api/logs?uuid=${project}`, headers: anybody, status: 401 },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { uuid: "unknown", log },
        status: 404,
        answer: noProject,
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { log },
        status: 400,
        answer: { message: "Ошибка валидации", errors: [{ field: "uuid", message: "Обязательное поле" }] },
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { uuid: project },
        status: 400,
        answer: { message: "Ошибка валидации", errors: [{ field: "log", message: "Обязательное поле" }] },
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { uuid: project, log: { level: 1, tags: "x", metadata: [] } },
        status: 400,
        answer: {
          message: "Ошибка валидации",
          errors: [
            { field: "log.level", message: "Ожидается строка" },
            { field: "log.message", message: "Обязательное поле" },
            { field: "log.tags", message: "Ожидается список строк" },
            { field: "log.metadata", message: "Ожидается объект" },
          ],
        },
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { uuid: project, log: { ...log, timestamp: "soon" } },
        status: 400,
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: {
          uuid: project,
          log: { ...log, timestamp: new Date(Date.now() + 3 * 86_400_000).toISOString() },
        },
        status: 400,
      },
      {
        name: "",
        method: "POST",
        path: "/api/logs",
        headers: anybody,
        body: { uuid: "logger-system", log },
        status: 403,
        answer: { message: "В системный проект нельзя писать извне" },
      },
      {
        name: "",
        method: "DELETE",
        path: `/api/logs/${project}`,
        body: { levle: "ERROR" },
        status: 400,
        answer: { message: "Некорректные фильтры удаления" },
      },
      {
        name: "",
        method: "DELETE",
        path: `/api/logs/${project}`,
        body: { level: "INFO" },
        status: 200,
        answer: { deleted: 0 },
      },
      {
        name: "",
        method: "DELETE",
        path: `/api/logs/${project}?tag=NONE`,
        status: 200,
        answer: { deleted: 0 },
      },
      {
        name: "",
        method: "DELETE",
        path: `/api/logs/${project}`,
        body: { logId: id },
        status: 200,
        answer: { deleted: 1 },
      },
      { name: "", method: "DELETE", path: `/api/logs/${project}`, status: 200, answer: { deleted: 0 } },
      { name: "", method: "DELETE", path: "/api/logs/unknown", status: 404, answer: noProject },
    ],
    [
      "5.2 without uuid",
      "5.2 unknown",
      "5.2 a bad date",
      "5.2 too many",
      "5.2 without a token",
      "5.1 unknown project",
      "5.1 without uuid",
      "5.1 without log",
      "5.1 malformed",
      "5.1 a bad time",
      "5.1 a time to come",
      "5.1 the system's own",
      "5.3 an unknown filter",
      "5.3 filters",
      "5.3 filters in the query",
      "5.3 one",
      "5.3 all",
      "5.3 unknown",
    ],
  );

  test("5.1 no JSON, too large, another type", async () => {
    const post = async (body: string, type = "application/json") =>
      (await fetch(`${url()}/api/logs`, { method: "POST", headers: { "Content-Type": type }, body })).status;
    expect(await post("{")).toBe(400);
    expect(await post("")).toBe(400);
    expect(
      await post(JSON.stringify({ uuid: project, log: { ...log, message: "x".repeat(1_100_000) } })),
    ).toBe(413);
    expect(await post(JSON.stringify({ uuid: project, log }), "text/plain")).toBe(400);
  });

  test("what was malformed, unknown or changed stands in logger-system", async () => {
    await Bun.sleep(50);
    const { body } = await ask(url(), "GET", "/api/projects/logger-system/logs", { token });
    const kinds = (body.logs as { level: string; tags: string[] }[]).map(
      ({ level, tags }) => `${level} ${tags[1]}`,
    );
    for (const kind of [
      "WARNING MALFORMED_LOG",
      "SECURITY UNKNOWN_PROJECT",
      "INFO LOGIN",
      "SECURITY LOGIN_FAILED",
      "INFO SETTINGS",
    ])
      expect(kinds).toContain(kind);
  });
});

describe("6 settings", () => {
  const blockView = (fields: object = {}) => ({
    _id: objectId,
    ip: "203.0.113.10",
    reason: "Подозрительная активность",
    expiresAt: "2124-09-01T12:00:00.000Z",
    createdAt: time,
    updatedAt: time,
    ...fields,
  });
  const admin = { ip: "10.9.8.7", description: "ADMIN_IP", createdAt: time, isProtected: true };
  const vpn = { ip: "192.168.0.10", description: "VPN", createdAt: time, isProtected: false };
  const path = (rest: string) => `/api/settings/${rest}`;

  examples(
    () => [
      { name: "", method: "GET", path: path("whitelist"), status: 200, answer: [admin] },
      {
        name: "",
        method: "POST",
        path: path("whitelist"),
        body: { ip: "192.168.0.10", description: "VPN" },
        status: 201,
        answer: vpn,
      },
      {
        name: "",
        method: "POST",
        path: path("whitelist"),
        body: { ip: "::ffff:192.168.0.10", description: "Офис" },
        status: 201,
        answer: { ...vpn, description: "Офис" },
      },
      {
        name: "",
        method: "POST",
        path: path("whitelist"),
        body: { ip: "10.0.0.0/8" },
        status: 201,
        answer: { ...vpn, ip: "10.0.0.0/8", description: "" },
      },
      {
        name: "",
        method: "POST",
        path: path("whitelist"),
        body: { ip: "nowhere" },
        status: 400,
        answer: { message: "Некорректный IP-адрес или сеть" },
      },
      {
        name: "",
        method: "GET",
        path: path("whitelist"),
        status: 200,
        answer: [admin, { ...vpn, description: "Офис" }, { ...vpn, ip: "10.0.0.0/8", description: "" }],
      },
      {
        name: "",
        method: "DELETE",
        path: path("whitelist/10.9.8.7"),
        status: 403,
        answer: {
          message: "Административный IP нельзя удалить из белого списка",
          code: "WHITELIST_PROTECTED",
        },
      },
      {
        name: "",
        method: "DELETE",
        path: path("whitelist/192.168.0.10"),
        status: 200,
        answer: { message: "IP удалён из белого списка", ip: "192.168.0.10" },
      },
      {
        name: "",
        method: "DELETE",
        path: path("whitelist/10.0.0.0%2F8"),
        status: 200,
        answer: { message: "IP удалён из белого списка", ip: "10.0.0.0/8" },
      },
      {
        name: "",
        method: "DELETE",
        path: path("whitelist/192.168.0.10"),
        status: 404,
        answer: { message: "IP не найден в белом списке" },
      },
      {
        name: "",
        method: "POST",
        path: path("blacklist"),
        body: {
          ip: "203.0.113.10",
          reason: "Подозрительная активность",
          expiresAt: "2124-09-01T12:00:00.000Z",
        },
        status: 201,
        answer: blockView(),
      },
      {
        name: "",
        method: "POST",
        path: path("blacklist"),
        body: { ip: "203.0.113.10", reason: "ещё раз", expiresAt: null },
        status: 409,
        answer: { message: "IP уже заблокирован" },
      },
      { name: "", method: "POST", path: path("blacklist"), body: { ip: "203.0.113.11" }, status: 400 },
      {
        name: "",
        method: "POST",
        path: path("blacklist"),
        body: { ip: "203.0.113.11", reason: "x", expiresAt: "2020-01-01T00:00:00Z" },
        status: 400,
        answer: { message: "Дата окончания уже прошла" },
      },
      { name: "", method: "GET", path: path("blacklist"), status: 200, answer: [blockView()] },
      {
        name: "",
        method: "PUT",
        path: path("blacklist/unknown"),
        body: {},
        status: 404,
        answer: { message: "Блокировка не найдена" },
      },
    ],
    [
      "6.1 whitelist",
      "6.2 the document's example",
      "6.2 the same, described anew",
      "6.2 a network",
      "6.2 no address",
      "6.1 again",
      "6.3 protected",
      "6.3",
      "6.3 a network",
      "6.3 again",
      "6.5 block",
      "6.5 twice",
      "6.5 no reason",
      "6.5 over already",
      "6.4 blacklist",
      "6.6 unknown",
    ],
  );

  test("6.6 and 6.7 change and lift a block", async () => {
    block = (await ask(url(), "GET", path("blacklist"), { token })).body[0]._id;
    const changed = await ask(url(), "PUT", path(`blacklist/${block}`), {
      token,
      body: { reason: "Другая", expiresAt: null },
    });
    expect(changed).toMatchObject({ status: 200, body: blockView({ reason: "Другая", expiresAt: null }) });
    expect((await ask(url(), "DELETE", path(`blacklist/${block}`), { token })).body).toMatchObject({
      message: "Блокировка снята",
    });
    expect((await ask(url(), "DELETE", path(`blacklist/${block}`), { token })).status).toBe(404);
    expect((await ask(url(), "GET", path("blacklist"), { token })).body).toEqual([]);
  });

  examples(
    () => [
      { name: "", method: "GET", path: path("rate-limit"), status: 200, answer: { rateLimitPerMinute: 120 } },
      {
        name: "",
        method: "PUT",
        path: path("rate-limit"),
        body: { rateLimitPerMinute: 200 },
        status: 200,
        answer: { rateLimitPerMinute: 200 },
      },
      { name: "", method: "GET", path: path("rate-limit"), status: 200, answer: { rateLimitPerMinute: 200 } },
      { name: "", method: "PUT", path: path("rate-limit"), body: { rateLimitPerMinute: 0 }, status: 400 },
      {
        name: "",
        method: "GET",
        path: path("telegram-status"),
        status: 200,
        answer: { tokenProvided: false, botStarted: false },
      },
      {
        name: "",
        method: "GET",
        path: path("telegram-url"),
        status: 200,
        answer: { url: null, source: "inactive", botActive: false },
      },
      {
        name: "",
        method: "GET",
        path: path("rate-limit"),
        headers: {},
        status: 401,
        answer: { message: "Требуется авторизация" },
      },
      { name: "", method: "GET", path: path("else"), status: 404, answer: { message: "Not Found" } },
      {
        name: "",
        method: "GET",
        path: "/health",
        headers: {},
        status: 200,
        answer: expect.objectContaining({ status: "healthy" }),
      },
    ],
    [
      "6.8",
      "6.9",
      "6.9 holds",
      "6.9 none",
      "6.10 without a bot",
      "6.11 without a bot",
      "without a token",
      "unknown",
      "7 health",
    ],
  );
});

describe("3.5 a project goes with its logs and services", () => {
  test("and counts them", async () => {
    for (let n = 0; n < 3; n++)
      await ask(url(), "POST", "/api/logs", {
        body: { uuid: other, log: { level: "INFO", message: `${n}` } },
      });
    await ask(url(), "POST", `/api/projects/${other}/ping-services`, {
      token,
      body: { name: "ping", url: target.url.href },
    });
    const { body } = await ask(url(), "DELETE", `/api/projects/${other}`, { token });
    expect(body).toEqual({ message: "Проект удален", deletedLogs: 3, deletedPingServices: 1 });
    expect((await ask(url(), "GET", `/api/projects/${other}`, { token })).status).toBe(404);
  });
});
