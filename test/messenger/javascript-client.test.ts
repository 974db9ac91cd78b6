/** The JavaScript client of `specs/messenger.md` (11.3), and the requests of its curl examples (11.4), as they stand. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ask } from "../support/accounts.ts";
import { join, type Person, say } from "../support/messenger.ts";
import { codeOf } from "../support/messenger-document.ts";
import { filledIn, startClient } from "../support/sample-clients.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let john: Person;
let jane: Person;
const url = () => server.url;

beforeAll(async () => {
  server = await startTestServer();
  [john, jane] = [await join(url(), "john_doe"), await join(url(), "jane_smith")];
});

afterAll(() => server.stop());

/** The client with one of its functions called; whatever it logs becomes a line of JSON. */
const run = (call: string) =>
  startClient(
    process.execPath,
    "client.mjs",
    `console.log = (...values) => process.stdout.write(JSON.stringify(values) + "\\n");
${filledIn(codeOf("11.3"), url(), { your_jwt_token_here: john.token })}
${call};`,
  );

test("sendMessage sends a message with fetch", async () => {
  const { status, output, complaint } = await run("await sendMessage()").end();
  expect({ status, complaint }).toEqual({ status: 0, complaint: "" });
  const [said, answer] = JSON.parse(output[0] ?? "");
  expect(said).toBe("Ответ сервера:");
  expect(answer).toMatchObject({ success: true, message: "Сообщение отправлено" });
  const { body } = await ask(url(), "GET", "/messages/conversation/1", { token: jane.token });
  expect(body.data).toEqual([answer.data]);
  expect(answer.data).toMatchObject({ content: "Привет из JavaScript!", sender_id: 1, receiver_id: 2 });
});

test("connectWebSocket tells its token in the first frame, and hears what is said until its session ends", async () => {
  const client = run("connectWebSocket()");
  await client.line(/WebSocket соединение установлено/);
  await client.line(/"event":"connection_ack"/);
  await say(url(), jane, john, "Привет, JavaScript!");
  const [, message] = JSON.parse(await client.line(/"event":"new_message"/));
  expect(message.data).toMatchObject({ sender_id: 2, content: "Привет, JavaScript!" });
  await ask(url(), "POST", "/auth/logout", { token: john.token });
  const { status, output } = await client.end();
  expect({ status, last: output.at(-1) }).toEqual({ status: 0, last: '["WebSocket соединение закрыто"]' });
});

test("the four curl examples are answered", async () => {
  const examples = filledIn(codeOf("11.4"), url()).matchAll(/-X (\w+) (\S+)(.*?)(?=\n\n|\s*$)/gs);
  const answers: unknown[] = [];
  let token = "";
  for (const [, method = "", address = "", rest = ""] of examples) {
    const data = /-d '(.*?)'/.exec(rest)?.[1];
    const headers = Object.fromEntries(
      [...rest.matchAll(/-H "([\w-]+): (.*?)"/g)].map(([, name = "", value = ""]) => [
        name,
        name === "Authorization" ? `Bearer ${token}` : value,
      ]),
    );
    const response = await fetch(address, { method, headers, ...(data === undefined ? {} : { body: data }) });
    const body = (await response.json()) as {
      success: boolean;
      message?: string;
      data: { access_token?: string };
    };
    token = body.data.access_token ?? token;
    answers.push([response.status, body.success, body.message]);
  }
  expect(answers).toEqual([
    [201, true, "Регистрация успешна"],
    [200, true, "Вход выполнен успешно"],
    [200, true, undefined],
    [201, true, "Сообщение отправлено"],
  ]);
});
