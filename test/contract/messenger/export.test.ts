/** Chapter 7.4 of `specs/messenger.md`: everything as a file. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { pixel } from "../../support/images.ts";
import { join, type Person, say } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let admin: Person;
let formula: Person;
const url = () => server.url;

/** What a spreadsheet would run. */
const dangerous = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1"];
const plain = ['Он сказал: "Привет, мир"', "две\nстроки", "a=b", "1-2", ";", "'", "😀"];
const texts = [...dangerous, ...plain];
let between = "";

beforeAll(async () => {
  server = await startTestServer();
  [admin, formula] = [await join(url(), "admin"), await join(url(), "=formula")];
  await ask(url(), "PUT", "/users/1", { token: admin.token, body: { display_name: '@"x", y' } });
  for (const content of texts) await say(url(), admin, formula, content);
  // Times of messages have microseconds: in the same millisecond they would lie behind it.
  await Bun.sleep(5);
  between = new Date().toISOString();
  await Bun.sleep(5);
  await Bun.sleep(2);
  await join(url(), "late");
  const image = { message_type: "image", file_name: "+1.png", file_size: 100 };
  await say(url(), formula, admin, pixel.png, image);
  await say(url(), formula, admin, "удалено");
  await ask(url(), "DELETE", `/messages/${texts.length + 2}`, { token: formula.token });
  await ask(url(), "POST", "/messages/mark-read", { token: formula.token, body: { sender_id: 1 } });
});

afterAll(() => server.stop());

const file = async (path: string) => {
  const response = await fetch(`${url()}/admin/export/${path}`, {
    headers: { Authorization: `Bearer ${admin.token}` },
  });
  expect(response.status).toBe(200);
  return { headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};
const json = async (path: string) => JSON.parse((await file(path)).bytes.toString());

/** Rows of a CSV (RFC 4180) by the names in its first line. */
function rowsOf(text: string): Record<string, string>[] {
  const lines: string[][] = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare ?? "");
    if (end === "\r\n") lines.push([]);
  }
  const [names = [], ...rows] = lines.filter(({ length }) => length > 1);
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? ""])));
}
const csv = async (path: string) => rowsOf((await file(`${path}format=csv`)).bytes.subarray(3).toString());

const user = (id: number, username: string, more: object = {}) => ({
  id,
  username,
  display_name: username,
  role: "user",
  is_active: true,
  created_at: time,
  last_login: time,
  last_seen: time,
  ...more,
});
const users = [
  user(1, "admin", { display_name: '@"x", y', role: "admin" }),
  user(2, "=formula"),
  user(3, "late"),
];
const message = (id: number, content: string, more: object = {}) => ({
  id,
  sender_id: 1,
  sender: "admin",
  receiver_id: 2,
  receiver: "=formula",
  message_type: "text",
  content,
  file_name: null,
  file_size: null,
  timestamp: time,
  is_read: true,
  read_at: time,
  deleted_at: null,
  ...more,
});
const back = {
  sender_id: 2,
  sender: "=formula",
  receiver_id: 1,
  receiver: "admin",
  is_read: false,
  read_at: null,
};
const messages = [
  ...texts.map((content, index) => message(index + 1, content)),
  message(texts.length + 1, pixel.png, {
    ...back,
    message_type: "image",
    file_name: "+1.png",
    file_size: 100,
  }),
  message(texts.length + 2, "удалено", { ...back, deleted_at: time }),
];

describe("JSON", () => {
  test("users, messages with their images, and both; as JSON when nothing is said", async () => {
    expect(await json("users")).toEqual({ success: true, data: users });
    expect(await json("messages?format=json")).toEqual({ success: true, data: messages });
    expect(await json("all/")).toEqual({ success: true, data: { users, messages } });
    expect((await file("users")).headers.get("content-type")).toMatch(/^application\/json/);
  });

  test("from a time, to a time", async () => {
    expect(await json(`all?date_to=${between}`)).toEqual({
      success: true,
      data: { users: users.slice(0, 2), messages: messages.slice(0, texts.length) },
    });
    expect(await json(`all?date_from=${between}`)).toEqual({
      success: true,
      data: { users: users.slice(2), messages: messages.slice(texts.length) },
    });
    expect(await json("all?date_from=9999-01-01")).toEqual({
      success: true,
      data: { users: [], messages: [] },
    });
  });
});

describe("CSV", () => {
  test("the document's headers, by the type and the day; a byte order mark comes first", async () => {
    for (const type of ["users", "messages", "all"]) {
      const { headers, bytes } = await file(`${type}?format=csv`);
      expect(headers.get("content-type")).toMatch(/^text\/csv\b/);
      const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
      expect(headers.get("content-disposition")).toBe(`attachment; filename="${type}_export_${day}.csv"`);
      expect(bytes.subarray(0, 3).toString("hex")).toBe("efbbbf");
      expect(bytes.subarray(-2).toString()).toBe("\r\n");
    }
  });

  test("whatever begins like a formula is made a text, all else is as it was", async () => {
    const rows = await csv("messages?");
    expect(rows.map(({ content }) => content)).toEqual([
      ...dangerous.map((text) => `'${text}`),
      ...plain,
      "",
      "удалено",
    ]);
    expect(rows[0]).toMatchObject({ id: "1", sender: "admin", receiver: "'=formula", is_read: "true" });
    expect(rows[texts.length]).toMatchObject({ message_type: "image", file_name: "'+1.png" });
    const people = await csv("users?");
    expect(people.map(({ username }) => username)).toEqual(["admin", "'=formula", "late"]);
    expect(people[0]).toMatchObject({ display_name: `'@"x", y`, role: "admin", is_active: "true" });
  });

  test("of everything, each row says what it is; dates count here as well", async () => {
    const rows = await csv("all?");
    expect(rows.map(({ record_type }) => record_type)).toEqual([
      ...users.map(() => "user"),
      ...messages.map(() => "message"),
    ]);
    const some = await csv(`all?date_from=${between}&`);
    expect(some.map(({ record_type }) => record_type)).toEqual(["user", "message", "message"]);
    expect(await csv("all?date_from=9999-01-01&")).toEqual([]);
  });
});

testExamples(url, [
  ...[
    ["/admin/export/sessions", "data_type"],
    ["/admin/export/users?format=xml", "format"],
    ["/admin/export/users?date_from=now", "date_from"],
  ].map(([path = "", field]) => ({
    name: "not understood",
    method: "GET",
    path,
    headers: bearer(() => admin),
    ...refused("VAL_001", expect.stringMatching(new RegExp(`^${field}: `))),
  })),
]);

test("thousands of messages come out whole and in order", async () => {
  const count = 2_100;
  for (let n = 0; n < count; n += 100)
    await Promise.all(Array.from({ length: 100 }, (_, at) => say(url(), admin, formula, `n${n + at}`)));
  const { data } = await json("messages");
  const ids = data.map(({ id }: { id: number }) => id);
  expect(ids).toEqual(Array.from({ length: messages.length + count }, (_, index) => index + 1));
  expect(await csv("messages?")).toHaveLength(ids.length);
});
