/**
 * Chapter 12 of `specs/messenger.md`: its Postman collection, run by newman with the scripts that the chapter gives. `postman-collection.json`
 * and `samples.md` are taken from the document word by word, because a checkout does not hold it.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { ask } from "../support/accounts.ts";
import { enter, join } from "../support/messenger.ts";
import { codeOf, document } from "../support/messenger-document.ts";
import { runCollection } from "../support/newman.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const authentication = { Регистрация: 201, "Вход в систему": 200 };
const rest = {
  "Получить текущего пользователя": 200,
  "Получить список пользователей": 200,
  "Отправить сообщение": 201,
  "Получить историю сообщений": 200,
};

describe("newman", () => {
  let server: TestServer;
  const url = () => server.url;

  beforeEach(async () => {
    server = await startTestServer();
  });

  afterEach(() => server.stop());

  test("the whole collection runs green in its own order, and keeps the token of the login", async () => {
    // It registers its user itself and writes to user 2, who is then that user.
    const { token } = await join(url(), "first");
    const { answers, failures, accessToken } = await runCollection(url());
    expect({ answers, failures }).toEqual({ answers: { ...authentication, ...rest }, failures: [] });
    const me = await ask(url(), "GET", "/auth/me", { token: String(accessToken) });
    expect(me.body.data).toMatchObject({ id: 2, username: "test_user", display_name: "Test User" });
    const sent = await ask(url(), "GET", "/admin/messages", { token });
    expect(sent.body.data[0]).toMatchObject({ content_preview: "Привет из Postman!", receiver: { id: 2 } });
  });

  test("without a login the pre-request script gets a token, and the message reaches another user", async () => {
    const first = await runCollection(url(), ["Аутентификация"]);
    expect(first).toMatchObject({ answers: authentication, failures: [] });
    await join(url(), "second");
    const { answers, failures, accessToken } = await runCollection(url(), ["Сообщения"]);
    const { "Отправить сообщение": sent, "Получить историю сообщений": history } = rest;
    expect({ answers, failures }).toEqual({
      answers: { "Отправить сообщение": sent, "Получить историю сообщений": history },
      failures: [],
    });
    expect(accessToken).not.toBe(first.accessToken);
    const { body } = await ask(url(), "GET", "/messages/conversation/1", {
      token: await enter(url(), "second"),
    });
    expect(body.data).toMatchObject([{ sender_id: 1, receiver_id: 2, content: "Привет из Postman!" }]);
  });
});

(document === null ? test.skip : test)("what runs here is what the document shows", () => {
  const text = document ?? "";
  const read = (name: string) => readFileSync(joinPath(import.meta.dir, name), "utf8");
  expect(read("postman-collection.json").trim()).toBe(codeOf("12.1", text).trim());
  const [, eleven = "", twelve = ""] = /(## 11\. .*)(### 12\.2\. .*)/s.exec(read("samples.md")) ?? [];
  for (const part of [eleven, twelve]) expect(text.includes(part.trim())).toBe(true);
});
