/** Chapters 7.1 to 7.3 of `specs/messenger.md`: what administrators see. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { pixel } from "../../support/images.ts";
import { connect, join, type Person, say } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let admin: Person;
let jane: Person;
let jack: Person;
const url = () => server.url;
/** When each message was sent, by its number. */
const times: string[] = [""];

beforeAll(async () => {
  server = await startTestServer();
  [admin, jane, jack] = [
    await join(url(), "admin"),
    await join(url(), "jane_smith"),
    await join(url(), "jack"),
  ];
  await join(url(), "leaver");
  await ask(url(), "PUT", "/users/1", { token: admin.token, body: { display_name: "Администратор" } });
  await ask(url(), "PUT", "/api/v1/users/4", { token: admin.token, body: { is_active: false } });
  const image = { message_type: "image", file_name: "снимок.png", file_size: 100 };
  for (const [from, to, content, more] of [
    [admin, jane, "Привет, как дела?", {}],
    [jane, admin, "x".repeat(150), {}],
    [jane, jack, pixel.png, image],
    [jack, admin, "удалено", {}],
    [jack, jack, "себе", {}],
  ] as const)
    times.push((await say(url(), from, to, content, more)).body.data.timestamp);
  await ask(url(), "DELETE", "/messages/4", { token: jack.token });
  await ask(url(), "POST", "/messages/mark-read", { token: jane.token, body: { sender_id: 1 } });
});

afterAll(() => server.stop());

const asAdmin = bearer(() => admin);
const asJane = bearer(() => jane);
const get = (path: string, headers: Record<string, string> = asAdmin) => ({
  method: "GET",
  path: `/admin${path}`,
  headers,
});
const invalid = (path: string, field: string) => ({
  name: "not understood",
  ...get(path),
  ...refused("VAL_001", expect.stringMatching(new RegExp(`^${field}: `))),
});
const page = (data: unknown, total: number, more: object = {}) => ({
  success: true,
  data,
  pagination: { page: 1, size: 50, total, pages: 1, has_next: false, has_prev: false, ...more },
});

describe("administrators alone", () => {
  const paths = ["/users", "/messages", "/stats", "/export/all", "/export/users?format=csv"];
  testExamples(
    url,
    paths.flatMap((path) => [
      { name: "a user", ...get(path, asJane), ...refused("AUTH_004") },
      { name: "nobody", ...get(path, {}), ...refused("AUTH_003") },
    ]),
  );

  test("architects are users here; whoever is made an admin may at once", async () => {
    const stats = async () => (await ask(url(), "GET", "/admin/stats", { token: jane.token })).status;
    const roleOf = async () => (await ask(url(), "GET", "/auth/me", { token: jane.token })).body.data.role;
    const become = (role: string) =>
      ask(url(), "PUT", "/api/v1/users/2", { token: admin.token, body: { role } });
    for (const [role, shown, status] of [
      ["architect", "user", 403],
      ["admin", "admin", 200],
      ["analyst", "user", 403],
    ] as const) {
      await become(role);
      expect({ role, shown: await roleOf(), status: await stats() }).toEqual({ role, shown, status });
    }
  });
});

describe("7.1 all users", () => {
  const user = (id: number, username: string, message_count: number, more: object = {}) => ({
    id,
    username,
    display_name: username,
    role: "user",
    is_online: false,
    last_login: time,
    created_at: time,
    message_count,
    is_active: true,
    ...more,
  });
  const first = user(1, "admin", 1, { display_name: "Администратор", role: "admin" });
  const second = user(2, "jane_smith", 2);
  const third = user(3, "jack", 1);
  const fourth = user(4, "leaver", 0, { is_active: false });

  testExamples(url, [
    { name: "the newest one first", ...get("/users"), status: 200, answer: page([third, second, first], 3) },
    {
      name: "a slash at the end, and who has left",
      ...get("/users/?include_inactive=true"),
      status: 200,
      answer: page([fourth, third, second, first], 4),
    },
    {
      name: "the oldest one first",
      ...get("/users?sort_by=created_at&sort_order=asc"),
      status: 200,
      answer: page([first, second, third], 3),
    },
    {
      name: "by name",
      ...get("/users?sort_by=username&sort_order=asc"),
      status: 200,
      answer: page([first, third, second], 3),
    },
    {
      name: "in pages",
      ...get("/users?size=2&page=2"),
      status: 200,
      answer: page([first], 3, { page: 2, size: 2, pages: 2, has_prev: true }),
    },
    { name: "by search", ...get("/users?search=АДМИН"), status: 200, answer: page([first], 1) },
    invalid("/users?sort_by=password", "sort_by"),
    invalid("/users?sort_order=1", "sort_order"),
    invalid("/users?include_inactive=2", "include_inactive"),
    invalid("/users?size=1000", "size"),
  ]);
});

describe("7.2 all messages", () => {
  const people = ["", "admin", "jane_smith", "jack"];
  const message = (id: number, from: number, to: number, content_preview: string, more: object = {}) => ({
    id,
    sender: { id: from, username: people[from] },
    receiver: { id: to, username: people[to] },
    content_preview,
    message_type: "text",
    timestamp: time,
    is_read: false,
    ...more,
  });
  const one = message(1, 1, 2, "Привет, как дела?", { is_read: true });
  const two = message(2, 2, 1, "x".repeat(100));
  const three = message(3, 2, 3, "снимок.png", { message_type: "image" });
  const five = message(5, 3, 3, "себе");

  testExamples(url, [
    {
      name: "the newest one first",
      ...get("/messages"),
      status: 200,
      answer: page([five, three, two, one], 4),
    },
    {
      name: "the oldest one first",
      ...get("/messages/?sort_order=asc"),
      status: 200,
      answer: page([one, two, three, five], 4),
    },
    {
      name: "to or from a user",
      ...get("/messages?user_id=1"),
      status: 200,
      answer: page([two, one], 2),
    },
    {
      name: "of a user who said nothing",
      ...get("/messages?user_id=4"),
      status: 200,
      answer: page([], 0, { pages: 0 }),
    },
    { name: "images", ...get("/messages?type=image"), status: 200, answer: page([three], 1) },
    {
      name: "texts of a user",
      ...get("/messages?type=text&user_id=3"),
      status: 200,
      answer: page([five], 1),
    },
    {
      name: "in pages",
      ...get("/messages?page=2&size=1"),
      status: 200,
      answer: page([three], 4, { page: 2, size: 1, pages: 4, has_next: true, has_prev: true }),
    },
    {
      name: "since a day to come",
      ...get("/messages?date_from=9999-01-01"),
      status: 200,
      answer: page([], 0, { pages: 0 }),
    },
    {
      name: "until a day gone by",
      ...get("/messages?date_to=2020-01-01"),
      status: 200,
      answer: page([], 0, { pages: 0 }),
    },
    invalid("/messages?user_id=jane", "user_id"),
    invalid("/messages?type=video", "type"),
    invalid("/messages?date_from=now", "date_from"),
    invalid("/messages?date_to=31.12.2026", "date_to"),
  ]);

  test("from a message's time to another's, both included", async () => {
    const { body } = await ask(url(), "GET", `/admin/messages?date_from=${times[2]}&date_to=${times[3]}`, {
      token: admin.token,
    });
    expect(body).toEqual(page([three, two], 2));
  });
});

describe("7.3 numbers", () => {
  const stats = async () => (await ask(url(), "GET", "/admin/stats/", { token: admin.token })).body;

  test("users, messages and the system are counted", async () => {
    const live = [await connect(url(), admin), await connect(url(), admin), await connect(url(), jack)];
    expect(await stats()).toEqual({
      success: true,
      data: {
        users: { total: 3, online: 2, admins: 1, new_today: 3 },
        messages: { total: 4, today: 4, text: 3, images: 1 },
        system: {
          uptime: expect.stringMatching(/^0d 0h \d+m$/),
          disk_usage_mb: expect.any(Number),
          active_connections: 3,
        },
      },
    });
    for (const each of live) await each.close();
    const { system } = (await stats()).data;
    expect(system.disk_usage_mb).toBeGreaterThan(1);
    expect(system.disk_usage_mb).toBe(Math.round(system.disk_usage_mb * 10) / 10);
    expect(system.active_connections).toBe(0);
  });
});
