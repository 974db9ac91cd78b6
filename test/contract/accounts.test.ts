/** Every request and answer of `specs/accounts.md`, and of the accounts' part of `specs/pipelines.md`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Example, send, testExamples } from "../support/contract.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let limited: TestServer;
const tokens: Record<string, string> = {};

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const token = expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
const url = () => server.url;
const as = (name: string) => ({
  get Authorization() {
    return `Bearer ${tokens[name]}`;
  },
});

/** A failure in both documents' shapes. */
const failure = (
  detail: unknown,
  code: string,
  message: unknown = detail,
  details: unknown = expect.any(Object),
) => ({
  detail,
  error: { code, message, details, request_id: expect.any(String) },
});
const notAuthenticated = failure("Not authenticated", "AUTH_FAILED");
const notPermitted = failure("Not enough permissions", "PERMISSION_DENIED");
const unknown = failure("Resource not found", "RESOURCE_NOT_FOUND");

beforeAll(async () => {
  [server, limited] = await Promise.all([
    startTestServer(),
    startTestServer({ RATE_LIMITS: "on", REGISTRATION: "closed" }),
  ]);
  for (const username of ["boss", "user"]) {
    const response = await send(url(), {
      name: "",
      method: "POST",
      path: "/api/v1/auth/register",
      body: { username, password: "password", email: `${username}@example.com` },
      status: 201,
    });
    tokens[username] = ((await response.json()) as { access_token: string }).access_token;
  }
});

afterAll(async () => {
  await Promise.all([server, limited].map((each) => each.stop()));
});

const post = (path: string, body: unknown) => ({ method: "POST", path: `/api/v1/auth${path}`, body });

describe("registration", () => {
  testExamples(url, [
    {
      name: "pipelines: the document's example",
      ...post("/register", {
        username: "john_doe",
        email: "john@example.com",
        password: "SecurePass123!",
        full_name: "John Doe",
      }),
      status: 201,
      answer: {
        id: "user_3",
        username: "john_doe",
        email: "john@example.com",
        full_name: "John Doe",
        role: "analyst",
        created_at: time,
        access_token: token,
        token_type: "bearer",
      },
    },
    {
      name: "a name that is taken, in another case",
      ...post("/register", { username: "JOHN_DOE", password: "x" }),
      status: 409,
      answer: failure("Username already registered", "DUPLICATE_RESOURCE", undefined, { field: "username" }),
    },
    {
      name: "an email that is taken",
      ...post("/register", { username: "other", password: "x", email: "John@Example.com" }),
      status: 409,
      answer: failure("Email already registered", "DUPLICATE_RESOURCE", undefined, { field: "email" }),
    },
    {
      name: "the document's 422",
      ...post("/register", { username: "other", password: "x", email: "user@" }),
      status: 422,
      answer: failure(
        [{ loc: ["body", "email"], msg: "value is not a valid email address", type: "value_error.email" }],
        "VALIDATION_ERROR",
        "Validation error",
        { field: "email", reason: "value is not a valid email address" },
      ),
    },
    {
      name: "everything missing",
      ...post("/register", {}),
      status: 422,
      answer: failure(
        ["username", "password"].map((field) => ({
          loc: ["body", field],
          msg: "field required",
          type: "value_error.missing",
        })),
        "VALIDATION_ERROR",
        "Validation error",
      ),
    },
    { name: "an empty password", ...post("/register", { username: "other", password: "" }), status: 422 },
    {
      name: "a password of 1025 bytes",
      ...post("/register", { username: "other", password: "я".repeat(513) }),
      status: 422,
    },
    {
      name: "a name with a line break",
      ...post("/register", { username: "a\nb", password: "x" }),
      status: 422,
    },
    { name: "no JSON", ...post("/register", "{"), status: 422 },
    { name: "too large", ...post("/register", { username: "x".repeat(70_000), password: "x" }), status: 413 },
    { name: "a list", ...post("/register", []), status: 422 },
  ]);
  testExamples(
    () => limited.url,
    [
      {
        name: "closed",
        ...post("/register", { username: "other", password: "x" }),
        status: 403,
        answer: failure("Registration is closed", "PERMISSION_DENIED"),
        answerHeaders: {
          "x-ratelimit-limit": "30",
          "x-ratelimit-remaining": /^\d+$/,
          "x-ratelimit-reset": /^\d{10}$/,
        },
      },
    ],
  );
});

const granted = {
  access_token: token,
  refresh_token: expect.any(String),
  token_type: "bearer",
  expires_in: 3600,
};
const form = { "Content-Type": "application/x-www-form-urlencoded" };
const wrong = failure("Incorrect username or password", "AUTH_FAILED");

describe("login", () => {
  testExamples(url, [
    {
      name: "JSON",
      ...post("/login", { username: "john_doe", password: "SecurePass123!" }),
      status: 200,
      answer: granted,
    },
    {
      name: "form",
      ...post("/login", "username=john_doe&password=SecurePass123%21"),
      headers: form,
      status: 200,
      answer: granted,
    },
    {
      name: "form with a slash at the end",
      ...post("/login/", "username=john_doe&password=SecurePass123%21"),
      headers: form,
      status: 200,
      answer: granted,
    },
    {
      name: "the name in another case",
      ...post("/login", { username: "John_Doe", password: "SecurePass123!" }),
      status: 200,
    },
    {
      name: "a wrong password",
      ...post("/login", { username: "john_doe", password: "wrong" }),
      status: 401,
      answer: wrong,
    },
    {
      name: "a wrong name",
      ...post("/login", { username: "nobody", password: "wrong" }),
      status: 401,
      answer: wrong,
    },
    { name: "no password", ...post("/login", "username=john_doe"), headers: form, status: 422 },
    {
      name: "a form where none is taken",
      ...post("/register", "username=x&password=y"),
      headers: form,
      status: 422,
    },
    {
      name: "wrong method",
      method: "GET",
      path: "/api/v1/auth/login",
      status: 405,
      answer: failure("Method Not Allowed", "METHOD_NOT_ALLOWED"),
      answerHeaders: { allow: "POST" },
    },
    {
      name: "unknown path",
      method: "GET",
      path: "/api/v1/auth/else",
      status: 404,
      answer: failure("Not Found", "RESOURCE_NOT_FOUND"),
    },
  ]);
});

const boss = {
  id: 1,
  email: "boss@example.com",
  username: "boss",
  full_name: null,
  is_active: true,
  is_superuser: true,
  role: "admin",
  created_at: time,
  updated_at: time,
};

describe("users", () => {
  const get = (path: string, name = "user"): Pick<Example, "method" | "path" | "headers"> => ({
    method: "GET",
    path: `/api/v1/users${path}`,
    headers: as(name),
  });
  testExamples(url, [
    {
      name: "me",
      ...get("/me"),
      status: 200,
      answer: {
        id: "user_2",
        username: "user",
        email: "user@example.com",
        full_name: null,
        role: "analyst",
        created_at: time,
        last_login: null,
      },
    },
    { name: "list, first", ...get("/?skip=0&limit=1"), status: 200, answer: [boss] },
    { name: "list without a slash", ...get("?limit=1"), status: 200, answer: [boss] },
    { name: "list, beyond the end", ...get("/?skip=1000"), status: 200, answer: [] },
    {
      name: "limit too large",
      ...get("/?limit=1001"),
      status: 422,
      answer: failure(
        [
          {
            loc: ["query", "limit"],
            msg: "ensure this value is less than or equal to 1000",
            type: "value_error.number.not_le",
            ctx: { limit_value: 1000 },
          },
        ],
        "VALIDATION_ERROR",
        "Validation error",
      ),
    },
    { name: "skip negative", ...get("/?skip=-1"), status: 422 },
    { name: "by number", ...get("/1"), status: 200, answer: boss },
    { name: "by name of the other document", ...get("/user_1"), status: 200, answer: boss },
    { name: "unknown", ...get("/999"), status: 404, answer: unknown },
    { name: "no number at all", ...get("/zero"), status: 404, answer: unknown },
    {
      name: "a number that no database holds",
      ...get("/99999999999999999999"),
      status: 404,
      answer: unknown,
    },
    {
      name: "no token",
      method: "GET",
      path: "/api/v1/users/",
      status: 401,
      answer: notAuthenticated,
      answerHeaders: { "www-authenticate": "Bearer" },
    },
    {
      name: "a bad token",
      method: "GET",
      path: "/api/v1/users/me",
      headers: { Authorization: "Bearer x.y.z" },
      status: 401,
      answer: failure("Not authenticated", "INVALID_TOKEN"),
    },
    {
      name: "another scheme",
      method: "GET",
      path: "/api/v1/users/me",
      headers: { Authorization: "Basic eDp5" },
      status: 401,
      answer: notAuthenticated,
    },
  ]);

  const put = (path: string, name: string, body: unknown) => ({ ...get(path, name), method: "PUT", body });
  testExamples(url, [
    {
      name: "the document's example",
      ...put("/2", "user", {
        email: "newemail@example.com",
        username: "newusername",
        full_name: "New Name",
        password: "newpassword",
      }),
      status: 200,
      answer: {
        ...boss,
        id: 2,
        email: "newemail@example.com",
        username: "newusername",
        full_name: "New Name",
        is_superuser: false,
        role: "analyst",
      },
    },
    { name: "this session goes on", ...get("/me"), status: 200 },
    {
      name: "a user sent back whole changes nothing",
      ...put("/2", "user", {
        id: 2,
        email: "newemail@example.com",
        username: "newusername",
        full_name: "New Name",
        is_active: true,
        is_superuser: false,
      }),
      status: 200,
    },
    { name: "nothing at all", ...put("/2", "user", {}), status: 200 },
    { name: "somebody else", ...put("/3", "user", { full_name: "x" }), status: 403, answer: notPermitted },
    { name: "one's own role", ...put("/2", "user", { role: "admin" }), status: 403, answer: notPermitted },
    {
      name: "one's own role as an admin",
      ...put("/1", "boss", { role: "analyst" }),
      status: 403,
      answer: notPermitted,
    },
    {
      name: "one's own standing",
      ...put("/2", "user", { is_superuser: true }),
      status: 403,
      answer: notPermitted,
    },
    {
      name: "a name that is taken",
      ...put("/2", "user", { username: "Boss" }),
      status: 409,
      answer: failure("Username already registered", "DUPLICATE_RESOURCE"),
    },
    {
      name: "an admin gives a role",
      ...put("/3", "boss", { role: "engineer" }),
      status: 200,
      answer: expect.objectContaining({ role: "engineer", is_superuser: false }),
    },
    {
      name: "an admin makes an admin",
      ...put("/3", "boss", { is_superuser: true }),
      status: 200,
      answer: expect.objectContaining({ role: "admin", is_superuser: true }),
    },
    {
      name: "and takes it back",
      ...put("/3", "boss", { is_superuser: false }),
      status: 200,
      answer: expect.objectContaining({ role: "analyst" }),
    },
    { name: "contradiction", ...put("/3", "boss", { is_superuser: true, role: "analyst" }), status: 400 },
    {
      name: "the last admin is not deactivated",
      ...put("/1", "boss", { is_active: false }),
      status: 409,
      answer: failure("The last active administrator cannot be removed", "DUPLICATE_RESOURCE"),
    },
    { name: "unknown, as an admin", ...put("/999", "boss", {}), status: 404, answer: unknown },
    { name: "unknown, as another", ...put("/999", "user", {}), status: 403, answer: notPermitted },
    {
      name: "audit for an admin",
      ...get("/3/audit?limit=1", "boss"),
      status: 200,
      answer: [
        {
          at: time,
          event: "role_changed",
          actor_id: 1,
          username: "john_doe",
          address: "127.0.0.1",
          details: { from: "admin", to: "analyst" },
        },
      ],
    },
    { name: "audit for another", ...get("/3/audit"), status: 403, answer: notPermitted },
  ]);

  const remove = (path: string, name: string) => ({ ...get(path, name), method: "DELETE" });
  testExamples(url, [
    { name: "somebody else", ...remove("/3", "user"), status: 403, answer: notPermitted },
    { name: "the last admin", ...remove("/1", "boss"), status: 409 },
    {
      name: "oneself",
      ...remove("/2", "user"),
      status: 200,
      answer: { message: "User deleted successfully" },
    },
    {
      name: "the session is over",
      ...get("/me"),
      status: 401,
      answer: failure("Not authenticated", "INVALID_TOKEN"),
    },
    { name: "gone", ...get("/2", "boss"), status: 404, answer: unknown },
    { name: "gone, again", ...remove("/2", "boss"), status: 404, answer: unknown },
    {
      name: "an admin removes another",
      ...remove("/user_3", "boss"),
      status: 200,
      answer: { message: "User deleted successfully" },
    },
    {
      name: "the name is free again",
      ...post("/register", { username: "john_doe", email: "john@example.com", password: "x" }),
      status: 201,
    },
  ]);
});

describe("refresh and logout", () => {
  test("the document's way: log in, refresh, log out", async () => {
    const ask = async (path: string, body?: unknown, bearer?: string) => {
      const headers = bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` };
      const response = await send(url(), { name: "", ...post(path, body), headers, status: 0 });
      const text = await response.text();
      return { status: response.status, body: text === "" ? null : JSON.parse(text) };
    };
    const login = await ask("/login", { username: "boss", password: "password" });
    const refreshed = await ask("/refresh", { refresh_token: login.body.refresh_token });
    expect(refreshed).toEqual({ status: 200, body: granted });
    expect(refreshed.body.refresh_token).not.toBe(login.body.refresh_token);
    expect(await ask("/logout", undefined, refreshed.body.access_token)).toEqual({ status: 204, body: null });
    for (const { access_token } of [login.body, refreshed.body])
      expect(await ask("/logout", undefined, access_token)).toEqual({
        status: 401,
        body: failure("Not authenticated", "INVALID_TOKEN"),
      });
    expect((await ask("/refresh", { refresh_token: refreshed.body.refresh_token })).status).toBe(401);
    expect((await ask("/refresh", { refresh_token: "made up" })).status).toBe(401);
    expect((await ask("/refresh", {})).status).toBe(422);
    expect((await ask("/logout")).status).toBe(401);
  });
});

describe("rate limits", () => {
  test("10 a second and 20 at once beyond that, then 429 in both shapes", async () => {
    const answers: Response[] = [];
    for (let request = 0; request < 40; request++)
      answers.push(await fetch(`${limited.url}/api/v1/users/me`));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(5);
    expect(answers[0]!.status).toBe(401);
    const [first] = refused;
    expect(await first!.json()).toEqual(failure("Too many requests", "RATE_LIMIT_EXCEEDED"));
    expect(Number(first!.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(first!.headers.get("x-ratelimit-remaining")).toBe("0");
  });
});

/** Sends frames one after the other and answers what came back for each, then closes. */
async function talk(
  path: string,
  frames: string[],
  headers: Record<string, string> = {},
): Promise<unknown[]> {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}${path}`, { headers } as never);
  const received: unknown[] = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    received.push(JSON.parse(String(data)));
    wake();
  };
  const closed = new Promise<{ code: number }>((resolve) => {
    socket.onclose = ({ code }) => resolve({ code });
  });
  await Promise.race([closed, new Promise((resolve) => (socket.onopen = resolve))]);
  for (const frame of frames) {
    const before = received.length;
    socket.send(frame);
    while (received.length === before && socket.readyState === WebSocket.OPEN)
      await Promise.race([closed, new Promise<void>((resolve) => (wake = resolve))]);
  }
  if (frames.length > 0) socket.close(1000);
  const { code } = await closed;
  return [...received, code];
}

describe("WebSocket", () => {
  test("the document's example, and every other text exactly as it was sent", async () => {
    const texts = ["hello", "007", "1e5", "true", " spaces ", "Привет\n", "{", '{"type":"chat"}', "[1]", ""];
    const answers = await talk("/api/v1/ws/user-123", ['{"type": "chat", "message": "Hello!"}', ...texts]);
    expect(answers[0]).toEqual({ client_id: "user-123", message: "Hello!", type: "echo" });
    expect(Object.keys(answers[0] as object)).toEqual(["client_id", "message", "type"]);
    expect(answers.slice(1, -1)).toEqual(
      texts.map((message) => ({ client_id: "user-123", message, type: "echo" })),
    );
  });

  test("a client's name is decoded; a token that is given must be good", async () => {
    expect(await talk("/api/v1/ws/%D1%8F", ["x"])).toMatchObject([{ client_id: "я" }, 1000]);
    expect(await talk(`/api/v1/ws/a?token=${tokens.boss}`, ["x"])).toMatchObject([{ client_id: "a" }, 1000]);
    expect(await talk("/api/v1/ws/a", ["x"], as("boss"))).toMatchObject([{ client_id: "a" }, 1000]);
    for (const [path, headers] of [
      ["/api/v1/ws/a?token=bad", {}],
      ["/api/v1/ws/a?token=", {}],
      ["/api/v1/ws/a", { Authorization: "Bearer bad" }],
      ["/api/v1/ws/a", { Authorization: "Basic eDp5" }],
    ] as const)
      expect(await talk(path, [], headers)).toEqual([{ detail: "Not authenticated" }, 4001]);
  });

  test("a frame over 64 KB closes with 1009; just under it is echoed", async () => {
    expect(await talk("/api/v1/ws/a", ["x".repeat(65_537)])).toEqual([expect.any(Number)]);
    const [echo] = (await talk("/api/v1/ws/a", ["x".repeat(65_000)])) as [{ message: string }];
    expect(echo.message).toHaveLength(65_000);
  });

  test("an admin's broadcast reaches every client; another's is refused", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/ws/listener`);
    await new Promise((resolve) => (socket.onopen = resolve));
    const heard = new Promise((resolve) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)));
    });
    const frame = JSON.stringify({ type: "broadcast", data: { text: "Учения в 12:00" } });
    const expected = { type: "broadcast", data: { text: "Учения в 12:00" }, timestamp: time };
    expect(await talk(`/api/v1/ws/boss?token=${tokens.boss}`, [frame])).toEqual([
      expected,
      expect.any(Number),
    ]);
    expect(await heard).toEqual(expected);
    socket.close();
    const refused = { type: "error", data: { detail: "Not enough permissions" }, timestamp: time };
    expect(await talk("/api/v1/ws/anybody", [frame])).toEqual([refused, expect.any(Number)]);
  });

  test("without an upgrade", async () => {
    const response = await fetch(`${server.url}/api/v1/ws/a`);
    expect(response.status).toBe(426);
    expect(await response.json()).toEqual(failure("Upgrade Required", "UPGRADE_REQUIRED"));
  });
});
