/** The fake Bot API answers what Telegram's own would. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type BotApi, botToken, startBotApi } from "../support/bot-api.ts";

let api: BotApi;

beforeEach(() => {
  api = startBotApi({ username: "quintet_bot" });
});

afterEach(() => api.stop());

/** Calls a method; a plain object goes as JSON, no body as GET. */
async function call(method: string, body?: object, token = botToken) {
  const form = body instanceof FormData || body instanceof URLSearchParams;
  const response = await fetch(`${api.root}/bot${token}/${method}`, {
    method: body ? "POST" : "GET",
    headers: body && !form ? { "Content-Type": "application/json" } : {},
    ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
  });
  return { status: response.status, answer: (await response.json()) as unknown };
}

interface Update {
  update_id: number;
  message: { text: string; entities?: object[] };
}

async function getUpdates(parameters?: object): Promise<Update[]> {
  return ((await call("getUpdates", parameters)).answer as { result: Update[] }).result;
}

test("the right token and any spelling of a method; a wrong token is 401", async () => {
  const me = { ok: true, result: { id: 123456, is_bot: true, username: "quintet_bot" } };
  expect(await call("GETME")).toMatchObject({ status: 200, answer: me });
  expect((await call("setMyCommands", { commands: [] })).answer).toEqual({ ok: true, result: true });
  const unauthorized = { ok: false, error_code: 401, description: "Unauthorized" };
  expect(await call("getMe", {}, "123456:wrong")).toEqual({ status: 401, answer: unauthorized });
  expect(api.calls.map(({ method }) => method)).toEqual(["GETME", "setMyCommands", "getMe"]);
});

test("sendMessage takes queries, JSON, forms and multipart bodies", async () => {
  const form = new FormData();
  form.set("chat_id", "@channel");
  form.set("text", "multipart");
  await call("sendMessage?chat_id=5&text=query");
  await call("sendMessage", new URLSearchParams({ chat_id: "5", text: "form", parse_mode: "HTML" }));
  await call("sendMessage", form);
  const { answer } = await call("sendMessage", { chat_id: -7, text: "json" });
  const result = { message_id: 4, date: expect.any(Number), chat: { id: -7 }, text: "json" };
  expect(answer).toMatchObject({ ok: true, result });
  expect(api.messages.map(({ chatId, text, parseMode }) => [chatId, text, parseMode])).toEqual([
    ["5", "query", null],
    ["5", "form", "HTML"],
    ["@channel", "multipart", null],
    ["-7", "json", null],
  ]);
});

test("sendMessage fails as often as it is told, then no longer; an empty text is refused", async () => {
  api.failNext(1, { status: 429, retryAfter: 1 });
  api.failNext(1, { status: 403, description: "Forbidden: bot was blocked by the user" });
  const message = { chat_id: 5, text: "hello" };
  const description = "Too Many Requests: retry after 1";
  const tooMany = { ok: false, error_code: 429, description, parameters: { retry_after: 1 } };
  expect(await call("sendMessage", message)).toEqual({ status: 429, answer: tooMany });
  const blocked = { ok: false, error_code: 403, description: "Forbidden: bot was blocked by the user" };
  expect(await call("sendMessage", message)).toEqual({ status: 403, answer: blocked });
  expect((await call("sendMessage", message)).status).toBe(200);
  expect((await call("sendMessage", { chat_id: 5, text: "" })).status).toBe(400);
  expect(api.messages).toHaveLength(1);
});

test("getUpdates delivers until an offset confirms", async () => {
  api.say(5, "/start@quintet_bot now");
  api.say(5, "hello");
  const [first, second] = await getUpdates();
  expect(first!.message.entities).toEqual([{ type: "bot_command", offset: 0, length: 18 }]);
  expect(second).toMatchObject({
    update_id: first!.update_id + 1,
    message: { chat: { id: 5 }, text: "hello" },
  });
  expect(second!.message.entities).toBeUndefined();
  expect(await getUpdates({ offset: second!.update_id })).toEqual([second!]);
  expect(await getUpdates({ offset: second!.update_id + 1 })).toEqual([]);
  expect(await getUpdates()).toEqual([]);
});

/** A long poll that the server has received. */
async function poll(timeout: number) {
  const before = api.calls.length;
  const answer = call("getUpdates", { timeout });
  while (api.calls.length === before) await Bun.sleep(1);
  return { answer };
}

test("a long poll ends with a message, with its time, or with 409 when another begins", async () => {
  const conflicted = await poll(30);
  const waiting = await poll(30);
  expect(await conflicted.answer).toMatchObject({ status: 409, answer: { ok: false, error_code: 409 } });
  api.say(5, "hello");
  expect(await waiting.answer).toMatchObject({ answer: { result: [{ message: { text: "hello" } }] } });
  const [hello] = await getUpdates();
  const began = Date.now();
  expect(await getUpdates({ offset: hello!.update_id + 1, timeout: 1 })).toEqual([]);
  expect(Date.now() - began).toBeGreaterThan(900);
});
