/** The documentation as a browser without internet sees it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { needs } from "../../needs.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const executablePath = Bun.which("chromium") ?? "/usr/bin/chromium";
const offline = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const args = [...offline, "--disable-component-update", "--disable-sync", "--no-sandbox"];

let server: TestServer;
let browser: Browser | null = null;

beforeAll(async () => {
  server = await startTestServer();
  if (Bun.which("chromium")) browser = await chromium.launch({ executablePath, args });
});

afterAll(async () => {
  await browser?.close();
  await server.stop();
});

interface Visit {
  page: Page;
  /** Hosts that the page asked for anything. */
  hosts: Set<string>;
  complaints: string[];
}

async function visit(path: string): Promise<Visit> {
  if (!browser) throw new Error("chromium is not installed");
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const hosts = new Set<string>();
  const complaints: string[] = [];
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http")) hosts.add(host);
  });
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${server.url}${path}`, { waitUntil: "load" });
  return { page, hosts, complaints };
}

const ownHost = () => new Set([new URL(server.url).host]);

needs("chromium")("Swagger UI lists the operations and sends a request", async () => {
  for (const path of ["/docs", "/docs/"]) {
    const { page, hosts, complaints } = await visit(path);
    const operation = page.locator("#operations-Platform-getHealth");
    await operation.waitFor();
    await page.getByText("Start collecting files").waitFor();
    await operation.click();
    await operation.getByRole("button", { name: "Try it out" }).click();
    await operation.getByRole("button", { name: "Execute" }).click();
    await operation.locator(".live-responses-table").getByText('"healthy"').first().waitFor();
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/docs.png` });
    expect(complaints).toEqual([]);
    expect(hosts).toEqual(ownHost());
    await page.close();
  }
});

needs("chromium")("ReDoc shows the document", async () => {
  for (const path of ["/redoc", "/redoc/"]) {
    const { page, hosts, complaints } = await visit(path);
    await page.getByRole("heading", { name: "Start collecting files" }).first().waitFor();
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/redoc.png` });
    expect(complaints).toEqual([]);
    expect(hosts).toEqual(ownHost());
    await page.close();
  }
});

interface Operation {
  summary?: string;
  tags?: string[];
  operationId?: string;
  responses?: Record<string, unknown>;
  requestBody?: { content: Record<string, unknown> };
  parameters?: { name: string; in: string }[];
}

test("the OpenAPI document is whole", async () => {
  const response = await fetch(`${server.url}/openapi.json`);
  const document = (await response.json()) as {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
  };
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(JSON.stringify(document)).not.toContain("$ref");
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      expect({ where, summary: operation.summary }).toEqual({ where, summary: expect.any(String) });
      expect({ where, tags: operation.tags?.length }).toEqual({ where, tags: 1 });
      expect({ where, answers: Object.keys(operation.responses ?? {}).length > 0 }).toEqual({
        where,
        answers: true,
      });
      if (method === "post" && !/\/(logout|deploy|cancel|test|pause|resume)$/.test(path))
        expect({ where, content: Object.keys(operation.requestBody?.content ?? {}) }).toEqual({
          where,
          content: ["application/json"],
        });
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared =
        operation.parameters?.filter((each) => each.in === "path").map(({ name }) => name) ?? [];
      expect({ where, declared }).toEqual({ where, declared: named as string[] });
      ids.add(operation.operationId ?? "");
    }
  const count = Object.values(document.paths).reduce((sum, each) => sum + Object.keys(each).length, 0);
  expect(ids.size).toBe(count);
});

test("only the known files are served", async () => {
  for (const name of ["..%2f..%2fpostgres%2fbin%2fpostgres", "nothing.js", "constructor", "__proto__"])
    expect((await fetch(`${server.url}/docs/assets/${name}`)).status).toBe(404);
  for (const path of ["/docs", "/redoc"])
    expect(await (await fetch(`${server.url}${path}`)).text()).not.toMatch(/https?:\/\//);
});
