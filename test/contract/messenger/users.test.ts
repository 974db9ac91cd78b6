/** Chapter 5 of `specs/messenger.md`: users, and their lists' pages and order (2.3, 2.4). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { connect, enter, join, type Person, password } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let john: Person;
let jane: Person;
const url = () => server.url;

/** Numbered as they stand here, from 3 on. */
const others = ["Вася", "петя", "100%", "under_score", "underXscore", "leaver"];

beforeAll(async () => {
  server = await startTestServer();
  [john, jane] = [await join(url(), "john_doe"), await join(url(), "jane_smith")];
  for (const username of others) await join(url(), username);
  for (const [person, display_name] of [
    [john, "John Doe"],
    [jane, "Jane Smith"],
  ] as const)
    await ask(url(), "PUT", `/users/${person.id}`, { token: person.token, body: { display_name } });
  await ask(url(), "PUT", "/api/v1/users/8", { token: john.token, body: { is_active: false } });
});

afterAll(() => server.stop());

const asJohn = bearer(() => john);
const asJane = bearer(() => jane);
const get = (path: string) => ({ method: "GET", path: `/users${path}`, headers: asJohn });

const view = (id: number, username: string, fields: object = {}) => ({
  id,
  username,
  display_name: username,
  role: "user",
  is_online: false,
  last_seen: time,
  ...fields,
});
const johnDoe = view(1, "john_doe", { display_name: "John Doe", role: "admin" });
const janeSmith = view(2, "jane_smith", { display_name: "Jane Smith" });
const page = (data: unknown, pagination: object) => ({ success: true, data, pagination });
const single = { page: 1, size: 50, pages: 1, has_next: false, has_prev: false };

describe("5.1 the list", () => {
  const listed = (name: string, query: string, ids: number[]) => ({
    name,
    ...get(`/?${query}`),
    status: 200,
    answer: page(
      ids.map((id) => expect.objectContaining({ id })),
      { ...single, total: ids.length, pages: Math.min(ids.length, 1) },
    ),
  });
  const invalid = (query: string, details: unknown) => ({
    name: "not understood",
    ...get(`/?${query}`),
    ...refused("VAL_001", details),
  });

  testExamples(url, [
    {
      name: "all who are active, with pages",
      ...get("/"),
      status: 200,
      answer: page(
        [johnDoe, janeSmith, ...others.slice(0, 5).map((username, index) => view(index + 3, username))],
        { ...single, total: 7 },
      ),
    },
    { name: "without the slash", ...get(""), status: 200 },
    { name: "no token", method: "GET", path: "/users/", ...refused("AUTH_003") },
    listed("a part of a username", "search=JANE_s", [2]),
    listed("a part of a name to be shown", "search=john%20d", [1]),
    listed("Russian letters in either case", "search=Петя", [4]),
    listed("a percent sign is itself", "search=%25", [5]),
    listed("an underscore is itself", "search=under_", [6]),
    listed("a backslash is itself", "search=%5C", []),
    listed("nobody of that name, not even who has left", "search=leaver", []),
    listed("nobody is online", "online_only=true", []),
    listed("nobody is online, as Python writes it", "online_only=True", []),
    listed("everybody, whoever is online", "online_only=false&sort_by=id", [1, 2, 3, 4, 5, 6, 7]),
    {
      name: "the first page of several",
      ...get("/?page=1&size=3"),
      status: 200,
      answer: page([johnDoe, janeSmith, view(3, "Вася")], {
        page: 1,
        size: 3,
        total: 7,
        pages: 3,
        has_next: true,
        has_prev: false,
      }),
    },
    {
      name: "the last page of several",
      ...get("/?page=3&size=3"),
      status: 200,
      answer: page([view(7, "underXscore")], {
        page: 3,
        size: 3,
        total: 7,
        pages: 3,
        has_next: false,
        has_prev: true,
      }),
    },
    {
      name: "beyond the last page",
      ...get("/?page=4&size=3"),
      status: 200,
      answer: page([], { page: 4, size: 3, total: 7, pages: 3, has_next: false, has_prev: true }),
    },
    { name: "100 to a page", ...get("/?size=100"), status: 200 },
    invalid("size=101", "size: не больше 100"),
    invalid("size=0", "size: не меньше 1"),
    invalid("page=0", "page: не меньше 1"),
    invalid("page=first", expect.stringMatching(/^page: /)),
    invalid("page=1.5", expect.stringMatching(/^page: /)),
    invalid("sort_by=password_hash", expect.stringMatching(/^sort_by: допустимые значения: /)),
    invalid("sort_order=up", "sort_order: допустимые значения: asc, desc"),
    invalid("online_only=perhaps", expect.stringMatching(/^online_only: /)),
    invalid("search=%00", expect.stringMatching(/^search: /)),
  ]);

  test("2.4 it is sorted by what is asked for, in either direction", async () => {
    const idsBy = async (query: string) =>
      (await ask(url(), "GET", `/users/?${query}`, { token: john.token })).body.data.map(
        ({ id }: { id: number }) => id,
      );
    const ascending = [1, 2, 3, 4, 5, 6, 7];
    for (const field of ["id", "created_at"]) {
      expect(await idsBy(`sort_by=${field}`)).toEqual(ascending);
      expect(await idsBy(`sort_by=${field}&sort_order=desc`)).toEqual(ascending.toReversed());
    }
    const names = await idsBy("sort_by=username&sort_order=asc");
    expect(names[0]).toBe(5);
    expect(names.indexOf(2)).toBeLessThan(names.indexOf(1));
    expect(await idsBy("sort_by=username&sort_order=desc")).toEqual(names.toReversed());
    for (const field of ["display_name", "role", "last_seen", "last_login"])
      expect((await idsBy(`sort_by=${field}&sort_order=desc`)).toSorted()).toEqual(ascending);
    expect((await idsBy("sort_by=role"))[0]).toBe(1);
  });
});

describe("5.2 one user", () => {
  const found = { status: 200, answer: { success: true, data: { ...janeSmith, created_at: time } } };
  testExamples(url, [
    { name: "the document's example", ...get("/2"), ...found },
    { name: "by the accounts' form of the id, with a slash", ...get("/user_2/"), ...found },
    { name: "unknown", ...get("/99"), ...refused("USER_001") },
    { name: "a number that no database holds", ...get("/99999999999"), ...refused("USER_001") },
    { name: "who has left", ...get("/8"), ...refused("USER_001") },
    { name: "no number", ...get("/john"), ...refused("VAL_001", "user_id: ожидается целое число") },
    { name: "no token", method: "GET", path: "/users/2", ...refused("AUTH_003") },
  ]);
});

describe("5.3 one's own profile", () => {
  const put = (path: string, body: unknown, headers = asJohn) => ({
    method: "PUT",
    path: `/users${path}`,
    headers,
    body,
  });
  const updated = (display_name: string) => ({
    status: 200,
    answer: {
      success: true,
      data: { id: 1, username: "john_doe", display_name, role: "admin" },
      message: "Профиль обновлен",
    },
  });
  testExamples(url, [
    {
      name: "the document's example",
      ...put("/1", { display_name: "John Doe Updated", password: "NewSecurePass123!" }),
      ...updated("John Doe Updated"),
    },
    { name: "the name alone", ...put("/1/", { display_name: "John Doe" }), ...updated("John Doe") },
    { name: "nothing", ...put("/1", {}), ...updated("John Doe") },
    {
      name: "what is not one's own to change stays",
      ...put("/1", { role: "user", is_active: false, username: "other", id: 7 }),
      ...updated("John Doe"),
    },
    {
      name: "somebody else's",
      ...put("/2", { display_name: "x" }),
      ...refused("AUTH_004", expect.any(String)),
    },
    {
      name: "an admin's, as a user",
      ...put("/1", { display_name: "x" }, asJane),
      ...refused("AUTH_004", expect.any(String)),
    },
    { name: "unknown", ...put("/99", { display_name: "x" }), ...refused("USER_001") },
    { name: "who has left", ...put("/8", { display_name: "x" }), ...refused("USER_001") },
    {
      name: "no name",
      ...put("/1", { display_name: "" }),
      ...refused("VAL_001", expect.stringMatching(/^display_name: /)),
    },
    {
      name: "a name that is a number",
      ...put("/1", { display_name: 1 }),
      ...refused("VAL_001", "display_name: ожидается строка"),
    },
    {
      name: "a password too short",
      ...put("/1", { password: "Abc1" }),
      ...refused("USER_003", expect.any(String)),
    },
    {
      name: "a password without digits",
      ...put("/1", { password: "password!" }),
      ...refused("USER_003", expect.any(String)),
    },
    {
      name: "a password without letters",
      ...put("/1", { password: "12345678" }),
      ...refused("USER_003", expect.any(String)),
    },
    { name: "no token", method: "PUT", path: "/users/1", body: {}, ...refused("AUTH_003") },
  ]);

  test("a new password ends all other sessions; the old one is good no longer", async () => {
    const elsewhere = await enter(url(), "jane_smith");
    const { status } = await ask(url(), "PUT", `/users/${jane.id}`, {
      token: jane.token,
      body: { password: "AnotherPass1" },
    });
    expect(status).toBe(200);
    const me = (token: string) => ask(url(), "GET", "/auth/me", { token });
    expect((await me(jane.token)).status).toBe(200);
    const { status: ended, body } = await me(elsewhere);
    expect({ status: ended, answer: body }).toEqual(refused("AUTH_003"));
    const logIn = async (given: string) =>
      (await ask(url(), "POST", "/auth/login", { body: { username: "jane_smith", password: given } })).status;
    expect(await logIn(password)).toBe(401);
    expect(await logIn("AnotherPass1")).toBe(200);
  });
});

test("whoever is connected is online: in the list, in the list of those alone, and by id", async () => {
  const vasya: Person = { id: 3, token: await enter(url(), "Вася") };
  const live = await connect(url(), vasya);
  const get = async (path: string) => (await ask(url(), "GET", path, { token: john.token })).body;
  const [all, online, one] = [
    await get("/users/"),
    await get("/users/?online_only=true"),
    await get("/users/3"),
  ];
  await live.close();
  const here = view(3, "Вася", { is_online: true });
  expect(all.data.filter(({ is_online }: { is_online: boolean }) => is_online)).toEqual([here]);
  expect(online).toEqual(page([here], { ...single, total: 1 }));
  expect(one.data).toEqual({ ...here, created_at: time });
});
