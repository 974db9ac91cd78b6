/** What holds for every path of the Messenger: slashes, methods, unknown paths, the envelope, what the documentation shows. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../../support/accounts.ts";
import { testExamples } from "../../support/contract.ts";
import { join, type Person } from "../../support/messenger.ts";
import { bearer, refused, refusedOtherwise } from "../../support/messenger-document.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let open: TestServer;
let john: Person;
const url = () => server.url;

beforeAll(async () => {
  [server, open] = await Promise.all([
    startTestServer(),
    startTestServer({ CORS_ORIGINS: "http://school.example" }),
  ]);
  john = await join(url(), "john_doe");
});

afterAll(async () => {
  await Promise.all([server, open].map((each) => each.stop()));
});

/** Every path with the methods that it answers. */
const paths: Record<string, string[]> = {
  "/auth/register": ["POST"],
  "/auth/login": ["POST"],
  "/auth/me": ["GET"],
  "/auth/logout": ["POST"],
  "/users": ["GET"],
  "/users/1": ["GET", "PUT"],
  "/messages": ["POST"],
  "/messages/conversation/1": ["GET"],
  "/messages/conversations": ["GET"],
  "/messages/unread": ["GET"],
  "/messages/search": ["GET"],
  "/messages/mark-read": ["POST"],
  "/messages/1": ["GET", "DELETE"],
  "/messages/1/image": ["GET"],
  "/admin/users": ["GET"],
  "/admin/messages": ["GET"],
  "/admin/stats": ["GET"],
  "/admin/export/all": ["GET"],
};
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/** What its own methods answer to who says neither who he is nor anything else. */
const known = (path: string) => (/register|login/.test(path) ? 400 : 401);
const slashed = Object.entries(paths).flatMap(([path, allowed]) => [
  { path, allowed },
  { path: `${path}/`, allowed },
]);

describe("a known path", () => {
  for (const { path, allowed } of slashed)
    test(`${path} knows ${allowed.join(" and ")} and answers 405 with Allow to anything else`, async () => {
      for (const method of methods) {
        const { status, headers, body } = await ask(url(), method, path);
        if (allowed.includes(method)) expect({ method, status }).toEqual({ method, status: known(path) });
        else {
          expect({ method, status, answer: body }).toEqual({ method, ...refusedOtherwise(405) });
          expect(headers.get("allow")?.split(", ").toSorted()).toEqual(allowed.toSorted());
        }
      }
    });
});

const unknown = [
  "/auth",
  "/auth/else",
  "/users/1/2",
  "/messages/1/2",
  "/messages/conversation/1/2",
  "/admin",
];
const unknownExample = (path: string) => ({
  name: "unknown",
  method: "GET",
  path,
  ...refusedOtherwise(404),
});

describe("an unknown path", () => {
  testExamples(url, [
    ...[...unknown, "/admin/", "/admin/export", "/ws", "/ws/1/2"].map(unknownExample),
    {
      name: "outside every service",
      method: "GET",
      path: "/nowhere",
      status: 404,
      answer: { detail: "Not Found" },
    },
    { name: "a WebSocket's, without an upgrade", method: "GET", path: "/ws/1", ...refusedOtherwise(426) },
  ]);
});

describe("where other origins are allowed", () => {
  testExamples(
    () => open.url,
    [
      ...unknown.map(unknownExample),
      {
        name: "a wrong method",
        method: "PUT",
        path: "/auth/login",
        ...refusedOtherwise(405),
        answerHeaders: { allow: /\bPOST\b/ },
      },
    ],
  );
});

describe("ids are whole numbers in decimal", () => {
  const example = (id: string) => ({
    name: id,
    method: "GET",
    path: `/messages/${encodeURIComponent(id)}`,
    headers: bearer(() => john),
    ...refused("VAL_001", expect.stringMatching(/^message_id: /)),
  });
  testExamples(url, ["0", "-1", "1.5", "abc", " ", "0x1", "1e0", "1'"].map(example));
});

test("every request has an id, and no answer is to be sniffed, framed or kept", async () => {
  for (const path of ["/auth/me", "/users/", "/admin", "/messages/1"]) {
    const { headers } = await ask(url(), "GET", path);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-request-id": expect.any(String),
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "cache-control": "no-store",
    });
  }
});

test("1.4 the documentation is public and shows every path", async () => {
  for (const path of ["/docs", "/redoc"]) expect((await fetch(`${url()}${path}`)).status).toBe(200);
  const { body } = await ask(url(), "GET", "/openapi.json");
  expect(body.openapi).toMatch(/^3\./);
  const shown = Object.fromEntries(
    Object.entries(body.paths as Record<string, object>).map(([path, operations]) => [
      path.replace(/\/$/, "").replace(/\{\w+\}/g, "1"),
      Object.keys(operations),
    ]),
  );
  for (const [path, allowed] of Object.entries(paths)) {
    const name = path.replace("/all", "/1");
    expect({ name, methods: shown[name]?.toSorted() }).toEqual({
      name,
      methods: allowed.map((method) => method.toLowerCase()).toSorted(),
    });
  }
});
