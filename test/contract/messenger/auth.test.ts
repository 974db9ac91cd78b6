/** Chapters 2 and 4 of `specs/messenger.md`: registration, login, who I am, logout. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { type Example, testExamples } from "../../support/contract.ts";
import { connect } from "../../support/messenger.ts";
import { bearer, refused, refusedOtherwise, time, token } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let closed: TestServer;
let strict: TestServer;
let john = "";

const url = () => server.url;
const password = "SecurePass123!";
const credentials = { username: "john_doe", password };

beforeAll(async () => {
  [server, closed, strict] = await Promise.all([
    startTestServer(),
    startTestServer({ REGISTRATION: "closed" }),
    startTestServer({ PASSWORD_POLICY: "strict" }),
  ]);
});

afterAll(async () => {
  await Promise.all([server, closed, strict].map((each) => each.stop()));
});

const post = (path: string, body?: unknown) => ({ method: "POST", path: `/auth${path}`, body });
const form = { "Content-Type": "application/x-www-form-urlencoded" };

const registered = (fields: object) => ({
  success: true,
  data: { id: expect.any(Number), role: "user", created_at: time, ...fields },
  message: "Регистрация успешна",
});

describe("4.1 registration", () => {
  const register = (username: unknown, more: object = {}) =>
    post("/register", { username, password, ...more });
  const invalid = (name: string, body: unknown, details: unknown): Example => ({
    name,
    ...post("/register", body),
    ...refused("VAL_001", details),
  });
  const badPassword = (name: string, given: string): Example => ({
    name,
    ...post("/register", { username: "weak", password: given }),
    ...refused("USER_003", expect.stringMatching(/[а-я]/)),
  });

  testExamples(url, [
    {
      name: "the document's example, who is the first and so an admin",
      ...post("/register", { ...credentials, display_name: "John Doe" }),
      status: 201,
      answer: registered({ id: 1, username: "john_doe", display_name: "John Doe", role: "admin" }),
    },
    {
      name: "all others are users; who has no name to be shown is shown by the other one",
      ...register("jane_smith"),
      status: 201,
      answer: registered({ id: 2, username: "jane_smith", display_name: "jane_smith" }),
    },
    {
      name: "a slash at the end; 3 characters; Russian letters in a password",
      method: "POST",
      path: "/auth/register/",
      body: { username: "Ёжи", password: "пароль12", display_name: null },
      status: 201,
      answer: registered({ id: 3, username: "Ёжи", display_name: "Ёжи" }),
    },
    { name: "50 characters", ...register("x".repeat(50), { display_name: "я".repeat(100) }), status: 201 },
    {
      name: "100 characters beyond the basic plane",
      ...register("emoji", { display_name: "😀".repeat(100) }),
      status: 201,
    },
    { name: "a name that is taken", ...register("john_doe"), ...refused("USER_002") },
    { name: "a name that is taken, in another case", ...register("ёЖИ"), ...refused("USER_002") },
    invalid("everything missing", {}, "username: обязательное поле; password: обязательное поле"),
    invalid("a name of 2 characters", { username: "ab", password }, "username: не короче 3 символов"),
    invalid(
      "a name of 51 characters",
      { username: "x".repeat(51), password },
      "username: не длиннее 50 символов",
    ),
    invalid("a name that is a number", { username: 123, password }, "username: ожидается строка"),
    invalid(
      "a line break in a name",
      { username: "john\ndoe", password },
      expect.stringMatching(/^username: /),
    ),
    invalid("NUL in a name", { username: "john\0doe", password }, expect.stringMatching(/^username: /)),
    invalid(
      "half a character in a name",
      { username: "john\ud800", password },
      expect.stringMatching(/^username: /),
    ),
    invalid(
      "no name to be shown",
      { username: "jack", password, display_name: "" },
      expect.stringMatching(/^display_name: /),
    ),
    invalid(
      "blanks to be shown",
      { username: "jack", password, display_name: "  " },
      expect.stringMatching(/^display_name: /),
    ),
    invalid(
      "101 characters to be shown",
      { username: "jack", password, display_name: "x".repeat(101) },
      "display_name: не длиннее 100 символов",
    ),
    invalid(
      "NUL to be shown",
      { username: "jack", password, display_name: "a\0" },
      expect.stringMatching(/^display_name: /),
    ),
    invalid(
      "half a character to be shown",
      { username: "jack", password, display_name: "a\udc00" },
      expect.stringMatching(/^display_name: /),
    ),
    invalid("no password", { username: "jack" }, "password: обязательное поле"),
    invalid("no JSON", "{", "body: некорректный JSON"),
    invalid("a list", [], "body: ожидается объект JSON"),
    { name: "nothing at all", ...post("/register"), ...refused("VAL_001", expect.any(String)) },
    {
      name: "a form",
      ...post("/register", "username=jack&password=SecurePass123!"),
      headers: form,
      ...refused("VAL_001", expect.any(String)),
    },
    badPassword("a password of 7 characters", "Secure1"),
    badPassword("a password without digits", "SecurePassword"),
    badPassword("a password without letters", "1234567890!"),
    badPassword("an empty password", ""),
    badPassword("a password of more than 1,024 bytes", `я1${"я".repeat(600)}`),
    { name: "what was refused is still free", ...register("weak"), status: 201 },
  ]);

  testExamples(
    () => closed.url,
    [
      {
        name: "closed",
        ...register("jack"),
        ...refused("AUTH_004", "Регистрация закрыта"),
      },
    ],
  );
  testExamples(
    () => strict.url,
    [
      {
        name: "a common password where the policy is strict",
        ...post("/register", { username: "jack", password: "password1234" }),
        ...refused("USER_003", expect.any(String)),
      },
    ],
  );
});

const granted = {
  success: true,
  data: {
    access_token: token,
    token_type: "bearer",
    expires_in: 1800,
    user: { id: 1, username: "john_doe", display_name: "John Doe", role: "admin" },
  },
  message: "Вход выполнен успешно",
};

describe("4.2 login", () => {
  testExamples(url, [
    { name: "the document's example", ...post("/login", credentials), status: 200, answer: granted },
    { name: "a slash at the end", ...post("/login/", credentials), status: 200, answer: granted },
    {
      name: "the name in another case",
      ...post("/login", { ...credentials, username: "JOHN_Doe" }),
      status: 200,
      answer: granted,
    },
    {
      name: "a wrong password",
      ...post("/login", { ...credentials, password: "x" }),
      ...refused("AUTH_001"),
    },
    {
      name: "a wrong name",
      ...post("/login", { ...credentials, username: "nobody" }),
      ...refused("AUTH_001"),
    },
    {
      name: "half a character in a name",
      ...post("/login", { ...credentials, username: "john\ud800" }),
      ...refused("AUTH_001"),
    },
    {
      name: "NUL in a name",
      ...post("/login", { ...credentials, username: "john\0doe" }),
      ...refused("AUTH_001"),
    },
    {
      name: "nothing",
      ...post("/login", {}),
      ...refused("VAL_001", "username: обязательное поле; password: обязательное поле"),
    },
    {
      name: "a password that is a number",
      ...post("/login", { username: "john_doe", password: 12345678 }),
      ...refused("VAL_001", "password: ожидается строка"),
    },
    { name: "no JSON", ...post("/login", "{"), ...refused("VAL_001", "body: некорректный JSON") },
  ]);

  test("after 5 failures in a row the pair of address and name is locked, whoever knows the password, and no other name", async () => {
    const attempt = (username: string, given: string) =>
      ask(url(), "POST", "/auth/login", { body: { username, password: given } });
    for (let n = 0; n < 5; n++) expect((await attempt("jane_smith", "wrong")).status).toBe(401);
    const { status, headers, body } = await attempt("jane_smith", password);
    expect({ status, answer: body }).toEqual(refusedOtherwise(429));
    expect(Number(headers.get("retry-after"))).toBeWithin(880, 901);
    expect((await attempt("john_doe", password)).status).toBe(200);
  });
});

describe("4.3 who I am, 4.4 logout", () => {
  const headers = bearer(() => ({ token: john }));
  const me = { method: "GET", path: "/auth/me" };
  const own = (isOnline: boolean) => ({
    success: true,
    data: {
      id: 1,
      username: "john_doe",
      display_name: "John Doe",
      role: "admin",
      created_at: time,
      last_login: time,
      is_online: isOnline,
    },
  });

  beforeAll(async () => {
    john = (await ask(url(), "POST", "/auth/login", { body: credentials })).body.data.access_token;
  });

  testExamples(url, [
    { name: "the document's example", ...me, headers, status: 200, answer: own(false) },
    { name: "a slash at the end", ...me, path: "/auth/me/", headers, status: 200 },
    {
      name: "no token",
      ...me,
      ...refused("AUTH_003"),
      answerHeaders: { "www-authenticate": "Bearer" },
    },
    { name: "a bad token", ...me, headers: { Authorization: "Bearer x.y.z" }, ...refused("AUTH_003") },
    { name: "another scheme", ...me, headers: { Authorization: "Basic eDp5" }, ...refused("AUTH_003") },
  ]);

  test("whoever is connected is online", async () => {
    const live = await connect(url(), { id: 1, token: john });
    expect((await ask(url(), "GET", "/auth/me", { token: john })).body).toEqual(own(true));
    await live.close();
  });

  test("logging out ends this token and no other", async () => {
    const other = (await ask(url(), "POST", "/auth/login", { body: credentials })).body.data.access_token;
    const { status, body } = await ask(url(), "POST", "/auth/logout", { token: john });
    expect({ status, body }).toEqual({
      status: 200,
      body: { success: true, message: "Выход выполнен успешно" },
    });
    for (const [method, path] of [
      ["GET", "/auth/me"],
      ["POST", "/auth/logout"],
      ["GET", "/users/"],
    ] as const) {
      const answer = await ask(url(), method, path, { token: john });
      expect({ status: answer.status, answer: answer.body }).toEqual(refused("AUTH_003"));
    }
    expect((await ask(url(), "GET", "/auth/me", { token: other })).status).toBe(200);
  });

  testExamples(url, [{ name: "logout without a token", ...post("/logout"), ...refused("AUTH_003") }]);
});

test("an account that is not active cannot log in, and its token is over", async () => {
  const { body: made } = await ask(url(), "POST", "/auth/register", {
    body: { username: "leaver", password },
  });
  const enter = (username: string) =>
    ask(url(), "POST", "/auth/login", { body: { username, password } }).then(({ body }) => body);
  const [boss, leaver] = [await enter("john_doe"), await enter("leaver")];
  await ask(url(), "PUT", `/api/v1/users/${made.data.id}`, {
    token: boss.data.access_token,
    body: { is_active: false },
  });
  expect(await enter("leaver")).toEqual(refused("AUTH_001").answer);
  const { body } = await ask(url(), "GET", "/auth/me", { token: leaver.data.access_token });
  expect(body).toEqual(refused("AUTH_003").answer);
});

test("more logins at once than can wait are answered 503 with Retry-After, all others are served", async () => {
  const answers = await Promise.all(
    Array.from({ length: 320 }, () => ask(url(), "POST", "/auth/login", { body: credentials })),
  );
  const late = answers.filter(({ status }) => status !== 200);
  expect(answers.length - late.length).toBeGreaterThanOrEqual(250);
  for (const { status, body, headers } of late) {
    expect({ status, answer: body }).toEqual(refusedOtherwise(503));
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  }
});
