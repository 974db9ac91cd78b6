/**
 * The Python clients of `specs/messenger.md` (11.1, 11.2) as they stand. `extra_headers`, which the second one uses, is a name of websockets before 14, as
 * Debian 12 and Ubuntu 24.04 have it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ask } from "../support/accounts.ts";
import { join, type Person, say } from "../support/messenger.ts";
import { codeOf } from "../support/messenger-document.ts";
import { filledIn, startClient } from "../support/sample-clients.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const needed = `import requests, websockets
assert int(websockets.__version__.split(".")[0]) < 14, "websockets before 14 is needed"`;
// Where another Python comes first, the system's packages are in the system's own.
const pythons = ["python3", "/usr/bin/python3"].filter((program) => Bun.which(program) !== null);
const python = pythons.find((program) => Bun.spawnSync([program, "-c", needed]).exitCode === 0);
const isPossible = python !== undefined || process.env.CI === "true";
if (!isPossible)
  console.warn("skipping the Python clients: requests, or websockets before 14, not installed");
const pythonTest = isPossible ? test : test.skip;

let server: TestServer;
let jane: Person;
let token: string;
const url = () => server.url;
const credentials = { username: "john_doe", password: "SecurePass123!" };
const run = (section: string, replacements: Record<string, string> = {}) =>
  startClient(python ?? "python3", "client.py", filledIn(codeOf(section), url(), replacements));

beforeAll(async () => {
  server = await startTestServer();
  await ask(url(), "POST", "/auth/register", { body: credentials });
  jane = await join(url(), "jane_smith");
  token = (await ask(url(), "POST", "/auth/login", { body: credentials })).body.data.access_token;
});

afterAll(() => server.stop());

pythonTest("11.1 logs in and sends a message with requests", async () => {
  const { status, output, complaint } = await run("11.1").end();
  expect({ status, complaint }).toEqual({ status: 0, complaint: "" });
  expect(output.join("")).toContain("'success': True");
  expect(output.join("")).toContain("'message': 'Сообщение отправлено'");
  const { body } = await ask(url(), "GET", "/messages/conversation/1", { token: jane.token });
  expect(body.data).toMatchObject([{ sender_id: 1, receiver_id: 2, content: "Привет от API!" }]);
});

pythonTest("11.2 listens with websockets until the session ends", async () => {
  const client = run("11.2", { your_jwt_token_here: token });
  await client.line(/^Подключено к WebSocket$/);
  const welcome = JSON.parse((await client.line(/^Сервер: /)).replace("Сервер: ", ""));
  expect(welcome).toMatchObject({
    event: "connection_ack",
    data: { connection_id: expect.any(String), user_id: 1 },
  });
  await say(url(), jane, { id: 1, token: "" }, "Привет, Python!");
  await client.line(/^Новое сообщение от 2: Привет, Python!$/);
  await ask(url(), "POST", "/auth/logout", { token });
  const { status, output, complaint } = await client.end();
  expect({ status, complaint }).toEqual({ status: 0, complaint: "" });
  expect(output.at(-1)).toBe("Соединение закрыто");
});
