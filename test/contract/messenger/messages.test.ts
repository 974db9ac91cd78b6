/** Chapter 6 of `specs/messenger.md`: texts are sent, deleted and read. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { type Example, testExamples } from "../../support/contract.ts";
import { join, type Person, say } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let john: Person;
let jane: Person;
let jack: Person;
const url = () => server.url;

beforeAll(async () => {
  server = await startTestServer();
  [john, jane, jack] = [
    await join(url(), "john_doe"),
    await join(url(), "jane_smith"),
    await join(url(), "jack"),
  ];
  await join(url(), "leaver");
  await ask(url(), "PUT", "/api/v1/users/4", { token: john.token, body: { is_active: false } });
});

afterAll(() => server.stop());

const asJohn = bearer(() => john);
const greeting = { receiver_id: 2, content: "Привет, как дела?", message_type: "text" };

const sent = (fields: object) => ({
  success: true,
  data: {
    id: expect.any(Number),
    sender_id: 1,
    receiver_id: 2,
    message_type: "text",
    timestamp: time,
    is_read: false,
    ...fields,
  },
  message: "Сообщение отправлено",
});

describe("6.1 sending", () => {
  const post = (body: unknown) => ({ method: "POST", path: "/messages/", headers: asJohn, body });
  const text = (name: string, content: string): Example => ({
    name,
    ...post({ ...greeting, content }),
    status: 201,
    answer: sent({ content }),
  });
  const invalid = (name: string, body: unknown, details: unknown): Example => ({
    name,
    ...post(body),
    ...refused("VAL_001", details),
  });
  const badText = (name: string, content: unknown): Example =>
    invalid(name, { ...greeting, content }, expect.stringMatching(/^content: /));

  testExamples(url, [
    {
      name: "the document's example",
      ...post(greeting),
      status: 201,
      answer: sent({ content: "Привет, как дела?" }),
    },
    { name: "without the slash", ...post(greeting), path: "/messages", status: 201 },
    { name: "to oneself", ...post({ ...greeting, receiver_id: 1 }), status: 201 },
    text("a character", "x"),
    text("10,000 characters", "x".repeat(10_000)),
    text("10,000 characters beyond the basic plane", "😀".repeat(10_000)),
    text("blanks, quotes and backslashes as they are", '  {"a": "\\", \'; --\t\r\n%_}  '),
    text("what only looks like an escape", "\\u0000 \\x00 \\0"),
    text("right to left, joined and combined", "שלום 👩‍👩‍👧 e\u0301\u200e"),
    badText("10,001 characters", "x".repeat(10_001)),
    badText("10,001 characters beyond the basic plane", "😀".repeat(10_001)),
    badText("nothing said", ""),
    badText("blanks", " \n\t "),
    badText("NUL", "a\0b"),
    badText("the first half of a character", "a\ud83d"),
    badText("the second half of a character", "\ude00a"),
    badText("a number", 5),
    badText("null", null),
    invalid(
      "all that is missing",
      {},
      "receiver_id: обязательное поле; content: обязательное поле; message_type: обязательное поле",
    ),
    invalid(
      "another type",
      { ...greeting, message_type: "video" },
      "message_type: допустимые значения: text, image",
    ),
    invalid("a receiver as text", { ...greeting, receiver_id: "2" }, "receiver_id: ожидается целое число"),
    invalid("a receiver of one and a half", { ...greeting, receiver_id: 1.5 }, expect.any(String)),
    invalid("no JSON", "{", "body: некорректный JSON"),
    invalid("a list", [greeting], "body: ожидается объект JSON"),
    {
      name: "a form",
      ...post("receiver_id=2"),
      headers: { "Content-Type": "application/x-www-form-urlencoded", Authorization: "Bearer x" },
      ...refused("AUTH_003"),
    },
    { name: "nobody", ...post({ ...greeting, receiver_id: 99 }), ...refused("MSG_002") },
    { name: "who has left", ...post({ ...greeting, receiver_id: 4 }), ...refused("MSG_002") },
    { name: "no token", method: "POST", path: "/messages/", body: greeting, ...refused("AUTH_003") },
    { name: "no token and no sense", method: "POST", path: "/messages/", body: "{", ...refused("AUTH_003") },
    { name: "a body over the limit", ...post({ content: "x".repeat(9_000_000) }), ...refused("MSG_004") },
  ]);

  test("whoever is deactivated in the middle of a conversation gets nothing more", async () => {
    const lola = await join(url(), "lola");
    expect((await say(url(), john, lola, "раз")).status).toBe(201);
    const { token } = john;
    await ask(url(), "PUT", `/api/v1/users/${lola.id}`, { token, body: { is_active: false } });
    const { status, body } = await say(url(), john, lola, "два");
    expect({ status, answer: body }).toEqual(refused("MSG_002"));
    await ask(url(), "PUT", `/api/v1/users/${lola.id}`, { token, body: { is_active: true } });
    expect((await say(url(), john, lola, "три")).status).toBe(201);
    await ask(url(), "DELETE", `/api/v1/users/${lola.id}`, { token });
    expect((await say(url(), john, lola, "четыре")).body).toEqual(refused("MSG_002").answer);
  });

  test("under one client_message_id a message is sent once; the names of others are their own", async () => {
    const again = (from: Person, content: string, client_message_id = "mine-1") =>
      say(url(), from, jack, content, { client_message_id });
    const first = await again(john, "раз");
    const second = await again(john, "два");
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(first.body).toEqual(sent({ receiver_id: 3, content: "раз", client_message_id: "mine-1" }));
    expect(second.body).toEqual(first.body);
    expect((await again(jane, "три")).status).toBe(201);
    expect((await again(john, "четыре", "mine-2")).status).toBe(201);
    for (const bad of ["", "x".repeat(129), 7, "a\0"])
      expect((await say(url(), john, jack, "x", { client_message_id: bad })).body).toEqual(
        refused("VAL_001", expect.stringMatching(/^client_message_id: /)).answer,
      );
  });
});

describe("6.3 deleting", () => {
  const remove = (id: unknown, { token }: Person) => ask(url(), "DELETE", `/messages/${id}`, { token });
  const answerOf = ({ status, body }: { status: number; body: unknown }) => ({ status, answer: body });

  test("one's own message goes, for both; somebody else's does not; what is gone is unknown", async () => {
    const { id } = (await say(url(), john, jane, "ошибка")).body.data;
    for (const other of [jane, jack]) expect(answerOf(await remove(id, other))).toEqual(refused("MSG_003"));
    expect(answerOf(await remove(`${id}/`, john))).toEqual({
      status: 200,
      answer: { success: true, message: "Сообщение удалено" },
    });
    for (const one of [john, jane, jack]) expect(answerOf(await remove(id, one))).toEqual(refused("MSG_001"));
  });

  test("it is hidden everywhere from both of them", async () => {
    const { id } = (await say(url(), john, jack, "уникальноеслово")).body.data;
    const seenBy = async ({ token }: Person, other: Person) => {
      const get = async (path: string) => (await ask(url(), "GET", `/messages/${path}`, { token })).body;
      const [history, found, conversations, unread, one] = await Promise.all([
        get(`conversation/${other.id}`),
        get("search?q=уникальноеслово"),
        get("conversations"),
        get("unread"),
        get(String(id)),
      ]);
      return {
        history: history.data.some((each: { id: number }) => each.id === id),
        found: found.data.length === 1,
        last: conversations.data.some(
          (each: { last_message: { id: number } }) => each.last_message.id === id,
        ),
        one: one.data?.content === "уникальноеслово",
        unread: unread.data.conversations.some(
          (each: { last_message_id: number }) => each.last_message_id === id,
        ),
      };
    };
    const all = { history: true, found: true, last: true, one: true };
    expect(await seenBy(john, jack)).toEqual({ ...all, unread: false });
    expect(await seenBy(jack, john)).toEqual({ ...all, unread: true });
    await remove(id, john);
    const nothing = { history: false, found: false, last: false, one: false, unread: false };
    expect(await seenBy(john, jack)).toEqual(nothing);
    expect(await seenBy(jack, john)).toEqual(nothing);
  });

  testExamples(url, [
    { name: "unknown", method: "DELETE", path: "/messages/999999", headers: asJohn, ...refused("MSG_001") },
    {
      name: "no number",
      method: "DELETE",
      path: "/messages/last",
      headers: asJohn,
      ...refused("VAL_001", expect.stringMatching(/^message_id: /)),
    },
    { name: "no token", method: "DELETE", path: "/messages/1", ...refused("AUTH_003") },
  ]);
});

describe("6.4 reading", () => {
  const mark = ({ token }: Person, sender_id: unknown, path = "/messages/mark-read") =>
    ask(url(), "POST", path, { token, body: { sender_id } });
  const marked = (marked_count: number) => ({
    success: true,
    data: { marked_count },
    message: "Сообщения отмечены как прочитанные",
  });

  test("the document's example: five are marked, once, and those alone that were sent to the reader", async () => {
    const max = await join(url(), "max");
    for (let n = 1; n <= 5; n++) await say(url(), john, max, String(n));
    await say(url(), max, john, "ответ");
    await say(url(), jane, max, "от другой");
    const { id } = (await say(url(), john, max, "удалено")).body.data;
    await ask(url(), "DELETE", `/messages/${id}`, { token: john.token });
    const answer = await mark(max, john.id);
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: marked(5) });
    expect((await mark(max, john.id, "/messages/mark-read/")).body).toEqual(marked(0));
    const { body } = await ask(url(), "GET", `/messages/conversation/${john.id}`, { token: max.token });
    const read = (content: string, reader: boolean) =>
      expect.objectContaining({ content, is_read: reader, ...(reader ? { read_at: time } : {}) });
    expect(body.data).toEqual([
      ...["1", "2", "3", "4", "5"].map((content) => read(content, true)),
      read("ответ", false),
    ]);
    expect((await mark(max, jane.id)).body).toEqual(marked(1));
  });

  test("what somebody said who has been deleted since can still be marked", async () => {
    const lara = await join(url(), "lara");
    await say(url(), lara, jack, "прощай");
    await ask(url(), "DELETE", `/api/v1/users/${lara.id}`, { token: lara.token });
    const { status, body } = await mark(jack, lara.id);
    expect({ status, body }).toEqual({ status: 200, body: marked(1) });
  });

  const post = (body: unknown) => ({
    method: "POST",
    path: "/messages/mark-read",
    headers: asJohn,
    body,
  });
  testExamples(url, [
    { name: "nobody", ...post({ sender_id: 99 }), ...refused("USER_001") },
    { name: "nothing", ...post({}), ...refused("VAL_001", "sender_id: обязательное поле") },
    {
      name: "a text",
      ...post({ sender_id: "2" }),
      ...refused("VAL_001", "sender_id: ожидается целое число"),
    },
    { name: "no token", method: "POST", path: "/messages/mark-read", body: {}, ...refused("AUTH_003") },
  ]);
});
