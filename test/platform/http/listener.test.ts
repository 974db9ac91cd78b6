import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.stop());

/** Sends raw bytes and answers what comes back until the server closes or falls silent. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

test("every answer carries its id and the headers that keep browsers from doing harm", async () => {
  for (const path of ["/health", "/nothing", "/api/v1/collect", "/docs"]) {
    const { headers } = await fetch(`${server.url}${path}`, { headers: { "X-Request-Id": "mine" } });
    expect(headers.get("x-request-id")).toBe("mine");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  }
});

test("HEAD is GET without the body", async () => {
  const response = await fetch(`${server.url}/health`, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(await response.text()).toBe("");
  expect((await fetch(`${server.url}/nothing`, { method: "HEAD" })).status).toBe(404);
});

test("no CORS grant unless origins are named", async () => {
  const origin = "https://school.example";
  const plain = await fetch(`${server.url}/health`, { headers: { Origin: origin } });
  expect(plain.headers.get("access-control-allow-origin")).toBeNull();
  const granting = await startTestServer({ CORS_ORIGINS: origin });
  try {
    const granted = await fetch(`${granting.url}/health`, { headers: { Origin: origin } });
    expect(granted.headers.get("access-control-allow-origin")).toBe(origin);
    const other = await fetch(`${granting.url}/health`, { headers: { Origin: "https://evil.example" } });
    expect(other.headers.get("access-control-allow-origin")).not.toBe("https://evil.example");
  } finally {
    await granting.stop();
  }
});

test("bodies are bounded, whether their length is told or not", async () => {
  const path =
    "/api/v1/collect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
  const told = await raw(`POST ${path}Content-Length: 2000000\r\n\r\n${"x".repeat(1000)}`);
  expect(told).toMatch(/^HTTP\/1\.1 413 |^$/);
  const chunk = `${(100_000).toString(16)}\r\n${"x".repeat(100_000)}\r\n`;
  const untold = await raw(`POST ${path}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(15)}0\r\n\r\n`);
  expect(untold).toMatch(/^HTTP\/1\.1 413 /);
  expect(untold).toContain('{"detail":"Request body too large"}');
});

test("broken clients do no harm", async () => {
  await raw("GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Le");
  await raw("\u0000\u0001\u0002\r\n\r\n");
  await raw("GET http://[bad HTTP/1.1\r\n\r\n");
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});

test("a WebSocket frame over the limit ends its connection alone", async () => {
  const url = `${server.url.replace("http", "ws")}/api/v1/ws/progress/x`;
  const code = await new Promise<number>((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send("x".repeat(1024 * 1024));
    socket.onclose = (event) => resolve(event.code);
  });
  expect(code).toBeGreaterThan(1000);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});

test("a path that is no WebSocket's is not upgraded", async () => {
  const headers = { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13" };
  const response = await fetch(`${server.url}/nothing`, { headers });
  expect(response.status).toBe(404);
});
