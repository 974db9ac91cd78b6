/** Chapter 6.2 of `specs/messenger.md`: what was said; and beside it what is unread, search, and with whom one talks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { join, type Person, say } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

interface Message {
  id: number;
  sender_id: number;
  content: string;
  timestamp: string;
}

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
  await say(url(), jane, john, "Привет!");
  await ask(url(), "POST", "/messages/mark-read", { token: john.token, body: { sender_id: jane.id } });
  await say(url(), john, jane, "Как дела?");
});

afterAll(() => server.stop());

const asJohn = bearer(() => john);
const get = (path: string) => ({ method: "GET", path: `/messages${path}`, headers: asJohn });
const read = async (who: Person, path: string) =>
  (await ask(url(), "GET", `/messages/${path}`, { token: who.token })).body;

const message = (id: number, sender_id: number, receiver_id: number, content: string, more: object = {}) => ({
  id,
  sender_id,
  receiver_id,
  content,
  message_type: "text",
  timestamp: time,
  is_read: false,
  ...more,
});
const hello = message(1, 2, 1, "Привет!", { is_read: true, read_at: time });
const question = message(2, 1, 2, "Как дела?");
const list = (...data: object[]) => ({ status: 200, answer: { success: true, data } });

describe("6.2 a conversation", () => {
  const invalid = (query: string, details: unknown) => ({
    name: "not understood",
    ...get(`/conversation/2?${query}`),
    ...refused("VAL_001", details),
  });
  const badDate = (value: string) =>
    invalid(`before=${value}`, "before: некорректная дата, ожидается ISO 8601");

  testExamples(url, [
    { name: "the document's example", ...get("/conversation/2"), ...list(hello, question) },
    { name: "a slash at the end", ...get("/conversation/2/"), ...list(hello, question) },
    { name: "by the accounts' form of the id", ...get("/conversation/user_2"), ...list(hello, question) },
    { name: "the newest one alone", ...get("/conversation/2?limit=1"), ...list(question) },
    { name: "before a day to come", ...get("/conversation/2?before=9999-12-31"), ...list(hello, question) },
    { name: "before a day gone by", ...get("/conversation/2?before=2020-01-01T00:00:00Z"), ...list() },
    { name: "after a day gone by", ...get("/conversation/2?after=0001-01-01"), ...list(hello, question) },
    {
      name: "after a day gone by, the oldest one alone",
      ...get("/conversation/2?after=2020-01-01&limit=1"),
      ...list(hello),
    },
    { name: "nothing was said", ...get("/conversation/3"), ...list() },
    { name: "with oneself", ...get("/conversation/1"), ...list() },
    { name: "one message", ...get("/2"), status: 200, answer: { success: true, data: question } },
    { name: "nobody", ...get("/conversation/99"), ...refused("USER_001") },
    {
      name: "no number",
      ...get("/conversation/jane"),
      ...refused("VAL_001", "user_id: ожидается целое число"),
    },
    { name: "no token", method: "GET", path: "/messages/conversation/2", ...refused("AUTH_003") },
    invalid("limit=0", "limit: не меньше 1"),
    invalid("limit=all", expect.stringMatching(/^limit: /)),
    badDate("yesterday"),
    badDate("2026-13-01"),
    badDate("2026-02-30"),
    badDate("1740123456"),
  ]);

  test("nobody else sees it", async () => {
    expect((await ask(url(), "GET", "/messages/1", { token: jack.token })).body).toEqual(
      refused("MSG_001").answer,
    );
    expect((await read(jack, "conversation/2")).data).toEqual([]);
  });

  test("a time is the same in every spelling", async () => {
    const { timestamp } = (await read(john, "conversation/2")).data[1] as Message;
    const moscow = new Date(Date.parse(timestamp) + 3 * 3_600_000).toISOString().slice(0, -1);
    const spellings = [
      timestamp,
      timestamp.replace("Z", ""),
      timestamp.replace("T", " "),
      timestamp.toLowerCase(),
      `${moscow}${timestamp.slice(-4, -1)}+03:00`,
      `${moscow}${timestamp.slice(-4, -1)}%2B0300`,
    ];
    for (const before of spellings)
      expect({ before, answer: await read(john, `conversation/2?before=${before}`) }).toEqual({
        before,
        answer: list(hello).answer,
      });
  });

  test("250 messages, sent by both at once, are paged through with their times, without loss or repeat", async () => {
    const [ann, bob] = [await join(url(), "ann"), await join(url(), "bob")];
    for (let n = 0; n < 250; n += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, at) =>
          say(url(), at % 2 ? ann : bob, at % 2 ? bob : ann, `${n + at}`),
        ),
      );
    const pages = async (way: "before" | "after", size: number) => {
      const seen: Message[][] = [];
      for (let end = way === "after" ? "2020-01-01" : ""; seen.length < 300; ) {
        const bound = end === "" ? "" : `&${way}=${end}`;
        const { data } = await read(ann, `conversation/${bob.id}?limit=${size}${bound}`);
        if (data.length === 0) break;
        seen.push(data);
        end = data.at(way === "after" ? -1 : 0).timestamp;
      }
      return (way === "after" ? seen : seen.toReversed()).flat();
    };
    const whole = (await read(bob, `conversation/${ann.id}?limit=500`)).data as Message[];
    expect(whole).toHaveLength(250);
    expect(new Set(whole.map(({ content }) => content)).size).toBe(250);
    expect(whole.map(({ id }) => id)).toEqual(whole.map(({ id }) => id).toSorted((a, b) => a - b));
    for (const size of [1, 7, 100]) {
      expect(await pages("before", size)).toEqual(whole);
      expect(await pages("after", size)).toEqual(whole);
    }
    expect((await read(bob, `conversation/${ann.id}`)).data).toEqual(whole.slice(-100));
    const [from, to] = [whole[9]!, whole[20]!].map(({ timestamp }) => timestamp);
    const between = await read(bob, `conversation/${ann.id}?after=${from}&before=${to}`);
    expect(between.data).toEqual(whole.slice(10, 20));
  });
});

describe("what is unread, and with whom one talks", () => {
  const user = (id: number, username: string) => ({
    id,
    username,
    display_name: username,
    is_online: false,
  });
  const pagination = { page: 1, size: 20, total: 3, pages: 1, has_next: false, has_prev: false };

  test("each sender is counted, until he is read; the last message comes first", async () => {
    const reader = await join(url(), "reader");
    const none = { success: true, data: { total: 0, conversations: [] } };
    const nobody = { ...pagination, total: 0, pages: 0 };
    expect(await read(reader, "unread")).toEqual(none);
    expect(await read(reader, "conversations")).toEqual({ success: true, data: [], pagination: nobody });
    const ids: number[] = [];
    for (const [from, content] of [
      [john, "раз"],
      [john, "два"],
      [jane, "три"],
    ] as const)
      ids.push((await say(url(), from, reader, content)).body.data.id);
    const own = (await say(url(), reader, jack, "четыре")).body.data.id;
    const counted = (user_id: number, unread_count: number, last_message_id?: number) => ({
      user_id,
      unread_count,
      last_message_id,
    });
    expect(await read(reader, "unread/")).toEqual({
      success: true,
      data: { total: 3, conversations: [counted(2, 1, ids[2]), counted(1, 2, ids[1])] },
    });
    const conversations = [
      { user: user(3, "jack"), last_message: expect.objectContaining({ id: own }), unread_count: 0 },
      { user: user(2, "jane_smith"), last_message: message(ids[2]!, 2, reader.id, "три"), unread_count: 1 },
      { user: user(1, "john_doe"), last_message: message(ids[1]!, 1, reader.id, "два"), unread_count: 2 },
    ];
    expect(await read(reader, "conversations")).toEqual({ success: true, data: conversations, pagination });
    expect(await read(reader, "conversations/?size=2&page=2")).toEqual({
      success: true,
      data: conversations.slice(2),
      pagination: { page: 2, size: 2, total: 3, pages: 2, has_next: false, has_prev: true },
    });
    await ask(url(), "POST", "/messages/mark-read", { token: reader.token, body: { sender_id: 1 } });
    expect((await read(reader, "unread")).data).toEqual({ total: 1, conversations: [counted(2, 1, ids[2])] });
    const after = (await read(reader, "conversations")).data;
    expect(after.map(({ unread_count }: { unread_count: number }) => unread_count)).toEqual([0, 1, 0]);
  });

  test("a page beyond the last one still tells how many there are", async () => {
    const answer = await read(john, "conversations?size=1&page=100");
    expect(answer.data).toEqual([]);
    expect(answer.pagination.total).toBeGreaterThan(0);
  });

  testExamples(url, [
    { name: "no token", method: "GET", path: "/messages/unread", ...refused("AUTH_003") },
    { name: "no token", method: "GET", path: "/messages/conversations", ...refused("AUTH_003") },
    {
      name: "too many to a page",
      ...get("/conversations?size=101"),
      ...refused("VAL_001", "size: не больше 100"),
    },
  ]);
});

describe("search in one's own messages", () => {
  const said = ["Скидка 100%", "скидка 100 рублей", "a_b", "aXb", "C:\\temp", "x' or '1'='1"];
  let one: Person;
  let two: Person;

  beforeAll(async () => {
    [one, two] = [await join(url(), "one"), await join(url(), "two")];
    for (const content of said) await say(url(), one, two, content);
    await say(url(), jack, two, "скидка от Джека");
    await say(url(), jane, john, "скидка не для них");
  });

  const search = async (who: Person, query: string, more = ""): Promise<string[]> =>
    (await read(who, `search?q=${encodeURIComponent(query)}${more}`)).data.map(
      ({ content }: Message) => content,
    );

  test("it finds whatever contains the text, in either case and as it stands, newest first", async () => {
    for (const [query, found] of [
      ["СКИДКА", ["скидка от Джека", "скидка 100 рублей", "Скидка 100%"]],
      ["100%", ["Скидка 100%"]],
      ["a_b", ["a_b"]],
      ["\\", ["C:\\temp"]],
      ["' or '", ["x' or '1'='1"]],
      ["нет такого", []],
    ] as const)
      expect({ query, found: await search(two, query) }).toEqual({ query, found: [...found] });
  });

  test("it is one's own alone, with one user, and goes on where it stopped", async () => {
    expect(await search(one, "скидка")).toEqual(["скидка 100 рублей", "Скидка 100%"]);
    expect(await search(two, "скидка", `&user_id=${jack.id}`)).toEqual(["скидка от Джека"]);
    expect(await search(two, "скидка", "&user_id=99")).toEqual([]);
    const first = await read(two, "search?q=скидка&limit=2");
    expect(first.data).toHaveLength(2);
    expect(await search(two, "скидка", `&limit=2&before=${first.data[1].id}`)).toEqual(["Скидка 100%"]);
  });

  const invalid = (query: string, field: string) => ({
    name: "not understood",
    ...get(`/search${query}`),
    ...refused("VAL_001", expect.stringMatching(new RegExp(`^${field}: `))),
  });
  testExamples(url, [
    invalid("", "q"),
    invalid("?q=", "q"),
    invalid("?q=%00", "q"),
    invalid(`?q=${"x".repeat(201)}`, "q"),
    invalid("?q=x&limit=0", "limit"),
    invalid("?q=x&user_id=jack", "user_id"),
    { name: "no token", method: "GET", path: "/messages/search?q=x", ...refused("AUTH_003") },
  ]);
});
