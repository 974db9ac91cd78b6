/** Images of messages: chapter 6.1 of `specs/messenger.md`, and by their address. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ImageLinks } from "../../../src/services/messenger/messages/images.ts";
import { type Answer, ask } from "../../support/accounts.ts";
import { type Example, testExamples } from "../../support/contract.ts";
import { images, pixel, pngOf } from "../../support/images.ts";
import { join, type Person, say } from "../../support/messenger.ts";
import { bearer, refused, time } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const key = "a key that is long enough for anybody";
const mebibyte = 1024 * 1024;
const base64 = (bytes: Buffer) => bytes.toString("base64");

let server: TestServer;
let john: Person;
let jane: Person;
let jack: Person;
const url = () => server.url;

beforeAll(async () => {
  server = await startTestServer({ JWT_SECRET: key });
  [john, jane, jack] = [
    await join(url(), "john_doe"),
    await join(url(), "jane_smith"),
    await join(url(), "jack"),
  ];
});

afterAll(() => server.stop());

const asJohn = bearer(() => john);
const named = { message_type: "image", file_name: "screenshot.png", file_size: 1024 };

/** John sends Jane an image. */
const sendImage = (content: string, more: object = {}): Promise<Answer> =>
  say(url(), john, jane, content, { ...named, ...more });

const view = (content: string | null) => ({
  id: expect.any(Number),
  sender_id: 1,
  receiver_id: 2,
  content,
  message_type: "image",
  file_name: "screenshot.png",
  file_size: 1024,
  image_url: expect.stringMatching(/^\/messages\/\d+\/image\?/),
  timestamp: time,
  is_read: false,
});

describe("sent and given back as they came", () => {
  const lines = base64(images.jpeg).replace(/.{76}/g, "$&\n");
  const contents: [string, string][] = [
    ...Object.entries(images).flatMap(([format, bytes]): [string, string][] => [
      [`a data URL of ${format}`, `data:image/${format};base64,${base64(bytes)}`],
      [`bare base64 of ${format}`, base64(bytes)],
    ]),
    ["a data URL with a parameter", `data:image/png;charset=utf-8;base64,${pixel.png}`],
    ["a data URL that names another type", `data:image/jpeg;base64,${pixel.png}`],
    ["a data URL in capitals", `DATA:IMAGE/PNG;BASE64,${pixel.png}`],
    ["base64 in lines, as Python's encodebytes makes it", `${lines}\n`],
    ["base64 without padding", base64(images.png).replace(/=+$/, "")],
    ["5 MiB, not a byte more", base64(pngOf(5 * mebibyte))],
  ];
  for (const [name, content] of contents)
    test(name, async () => {
      const { status, body } = await sendImage(content);
      expect(status).toBe(201);
      expect(body).toEqual({ success: true, data: view(content), message: "Сообщение отправлено" });
      const { id } = body.data;
      for (const { token, id: me } of [john, jane]) {
        const one = (await ask(url(), "GET", `/messages/${id}`, { token })).body.data;
        const other = me === john.id ? jane.id : john.id;
        const history = await ask(url(), "GET", `/messages/conversation/${other}?limit=1`, { token });
        expect(one.content === content).toBe(true);
        expect(one).toEqual(view(content));
        expect(history.body).toEqual({ success: true, data: [one] });
      }
    });

  test("a history may tell their addresses alone; conversations always do", async () => {
    await say(url(), john, jane, "до");
    await sendImage(pixel.png);
    await say(url(), john, jane, "после");
    const last = await sendImage(pixel.png);
    const get = (path: string) => ask(url(), "GET", `/messages/${path}`, { token: john.token });
    const { body } = await get("conversation/2?limit=4&images=url");
    expect(body.data.map(({ content }: { content: unknown }) => content)).toEqual([
      "до",
      null,
      "после",
      null,
    ]);
    expect(body.data[3]).toEqual(view(null));
    const inline = await get("conversation/2?limit=4&images=inline");
    expect(inline.body.data[3]).toEqual(view(pixel.png));
    const conversations = (await get("conversations")).body.data;
    expect(conversations[0].last_message).toEqual({ ...view(null), id: last.body.data.id });
    expect((await get("conversation/2?images=none")).body).toEqual(
      refused("VAL_001", expect.stringMatching(/^images: /)).answer,
    );
  });

  test("under one client_message_id an image is sent once, and comes back whole", async () => {
    const first = await sendImage(pixel.png, { client_message_id: "picture" });
    const second = await sendImage(base64(images.jpeg), { client_message_id: "picture" });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual(first.body);
  });
});

describe("not taken", () => {
  const post = (body: object) => ({
    method: "POST",
    path: "/messages/",
    headers: asJohn,
    body: { receiver_id: 2, content: pixel.png, ...named, ...body },
  });
  const bad = (name: string, content: string): Example => ({
    name,
    ...post({ content }),
    ...refused("VAL_001", expect.stringMatching(/^content: /)),
  });
  const half = (bytes: Buffer) => base64(bytes.subarray(0, bytes.length / 2));
  const fields = (name: string, body: object, details: unknown): Example => ({
    name,
    ...post(body),
    ...refused("VAL_001", details),
  });
  /** A PNG that says it is larger than it is. */
  const vast = Buffer.from(images.png);
  vast.writeUInt32BE(60_000, 16);
  vast.writeUInt32BE(60_000, 20);

  testExamples(url, [
    ...Object.entries(images).map(([format, bytes]) => bad(`half of a ${format}`, half(bytes))),
    bad("a signature and nothing more", base64(images.png.subarray(0, 8))),
    bad(
      "a text that pretends to be an image",
      `data:image/png;base64,${base64(Buffer.from("hello".repeat(99)))}`,
    ),
    bad(
      "a text behind a signature",
      base64(Buffer.concat([images.png.subarray(0, 8), Buffer.alloc(99, "x")])),
    ),
    bad(
      "SVG",
      `data:image/svg+xml;base64,${base64(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))}`,
    ),
    bad("a bitmap of Windows", base64(Buffer.from(`424d${"00".repeat(60)}`, "hex"))),
    bad("3,600 megapixels", base64(vast)),
    bad("no base64", "Привет!"),
    bad("base64 for URLs", base64(images.jpeg).replaceAll("/", "_").replaceAll("+", "-")),
    bad("a data URL of text", "data:text/plain,hello"),
    bad("an address", "https://example.com/a.png"),
    bad("a prefix alone", "data:image/png;base64,"),
    bad("NUL", `${pixel.png}\0`),
    fields("nothing", { content: "" }, expect.stringMatching(/^content: /)),
    fields("no file_name", { file_name: undefined }, "file_name: обязательное поле"),
    fields("no file_size", { file_size: undefined }, "file_size: обязательное поле"),
    fields(
      "neither",
      { file_name: null, file_size: null },
      "file_name: обязательное поле; file_size: обязательное поле",
    ),
    fields("a file_name with NUL", { file_name: "a\0.png" }, expect.stringMatching(/^file_name: /)),
    fields("a file_size as text", { file_size: "1024" }, "file_size: ожидается целое число"),
    fields("a file_size below nothing", { file_size: -1 }, expect.stringMatching(/^file_size: /)),
    {
      name: "a byte more than 5 MiB",
      ...post({ content: base64(pngOf(5 * mebibyte + 1)) }),
      ...refused("MSG_004"),
    },
    {
      name: "a data URL of 6 MiB that is no image",
      ...post({ content: `data:image/png;base64,${base64(Buffer.alloc(6 * mebibyte))}` }),
      ...refused("MSG_004"),
    },
    {
      name: "a body over the limit",
      ...post({ content: base64(Buffer.alloc(8 * mebibyte)) }),
      ...refused("MSG_004"),
    },
    { name: "to nobody", ...post({ receiver_id: 99 }), ...refused("MSG_002") },
  ]);

  test("a file_size that no file has is refused, and nothing else suffers from it", async () => {
    const bad = Array.from({ length: 5 }, () => sendImage(pixel.png, { file_size: 3_000_000_000 }));
    const good = Array.from({ length: 200 }, () => say(url(), jack, jane, "рядом"));
    const statuses = async (answers: Promise<Answer>[]) => [
      ...new Set((await Promise.all(answers)).map(({ status }) => status)),
    ];
    expect(await Promise.all([statuses(good), statuses(bad)])).toEqual([[201], [400]]);
  });
});

describe("by address", () => {
  let id: number;
  let link: string;
  const fetchImage = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${url()}${path}`, { method, headers });
  const authorized = ({ token }: Person) => ({ Authorization: `Bearer ${token}` });

  beforeAll(async () => {
    const { data } = (await sendImage(pixel.png)).body;
    [id, link] = [data.id, data.image_url];
  });

  test("with the token of either of them, or the link and no token", async () => {
    for (const response of [
      await fetchImage(`/messages/${id}/image`, authorized(john)),
      await fetchImage(`/messages/${id}/image/`, authorized(jane)),
      await fetchImage(link),
      await fetchImage(link, authorized(jack)),
    ]) {
      expect(response.status).toBe(200);
      expect(Buffer.from(await response.arrayBuffer()).equals(images.png)).toBe(true);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "image/png",
        "x-content-type-options": "nosniff",
        "content-security-policy": expect.stringContaining("default-src 'none'"),
        "cache-control": expect.stringContaining("private"),
        etag: expect.stringMatching(/^"[\w-]+"$/),
      });
    }
  });

  test("each format by its own type, whatever the data URL said", async () => {
    for (const [format, bytes] of Object.entries(images)) {
      expect((await sendImage(`data:text/html;base64,${base64(bytes)}`)).status).toBe(400);
      const { data } = (await sendImage(`data:image/bmp;base64,${base64(bytes)}`)).body;
      const response = await fetchImage(data.image_url);
      expect(response.headers.get("content-type")).toBe(`image/${format}`);
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    }
  });

  test("whoever has it already is answered 304", async () => {
    const etag = (await fetchImage(link)).headers.get("etag") ?? "";
    for (const known of [etag, `"other", ${etag}`, `W/${etag}`]) {
      const response = await fetchImage(link, { "If-None-Match": known });
      expect({ status: response.status, text: await response.text() }).toEqual({ status: 304, text: "" });
      expect(response.headers.get("etag")).toBe(etag);
    }
    expect((await fetchImage(link, { "If-None-Match": '"other"' })).status).toBe(200);
    const head = await fetchImage(link, {}, "HEAD");
    expect({ status: head.status, etag: head.headers.get("etag") }).toEqual({ status: 200, etag });
  });

  test("nobody else, no text, and no link that was changed or is too old", async () => {
    const text = (await say(url(), john, jane, "текст")).body.data.id;
    const other = (await sendImage(pixel.png)).body.data.id;
    const old = new ImageLinks(Buffer.from(key), () => Date.now() - 3 * 86_400_000).linkTo(id);
    const answers: [string, Record<string, string>, object][] = [
      [`/messages/${id}/image`, {}, refused("AUTH_003")],
      [`/messages/${id}/image`, authorized(jack), refused("MSG_001")],
      ["/messages/999999/image", authorized(john), refused("MSG_001")],
      [`/messages/${text}/image`, authorized(john), refused("MSG_001")],
      [link.replace(`/${id}/`, `/${other}/`), {}, refused("AUTH_003")],
      [link.replace(/.$/, (last) => (last === "A" ? "B" : "A")), {}, refused("AUTH_003")],
      [link.replace(/signature=.*/, "signature="), {}, refused("AUTH_003")],
      [link.replace(/&signature=.*/, ""), {}, refused("AUTH_003")],
      [link.replace(/expires=(\d)/, "expires=9$1"), {}, refused("AUTH_003")],
      [link.replace(/expires=\d+/, "expires=never"), {}, refused("VAL_001", expect.any(String))],
      [old, {}, refused("AUTH_003")],
      [old, authorized(jack), refused("MSG_001")],
    ];
    for (const [path, headers, wanted] of answers) {
      const response = await fetchImage(path, headers);
      expect({ path, status: response.status, answer: await response.json() }).toMatchObject(wanted);
    }
  });

  test("a deleted message's image is gone, for its link as well", async () => {
    const { data } = (await sendImage(pixel.png)).body;
    await ask(url(), "DELETE", `/messages/${data.id}`, { token: john.token });
    expect((await fetchImage(`/messages/${data.id}/image`, authorized(john))).status).toBe(404);
    expect((await fetchImage(data.image_url)).status).toBe(404);
  });
});
