/** Every request and answer of `specs/collector.md`, in its order. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collectTree, followJob, waitForResult } from "../support/collector.ts";
import { type Example, testExamples } from "../support/contract.ts";
import { forge } from "../support/forge.ts";
import { startTestServer, type TestServer, temporaryDirectory } from "../support/server.ts";

const unknownJob = "550e8400-e29b-41d4-a716-446655440000";
const secret = "a-secret-for-tests-that-is-long-enough";

let server: TestServer;
let required: TestServer;
let off: TestServer;
let source: string;
let target: string;

beforeAll(async () => {
  [server, required, off] = await Promise.all([
    startTestServer({ JWT_SECRET: secret }),
    startTestServer({ COLLECTOR_AUTH: "required" }),
    startTestServer({ COLLECTOR_AUTH: "off" }),
  ]);
  const directory = temporaryDirectory("contract");
  source = join(directory, "log");
  target = join(directory, "backup");
  mkdirSync(join(source, "nginx"), { recursive: true });
  writeFileSync(join(source, "app.log"), "one\n");
  writeFileSync(join(source, "notes.txt"), "two\n");
  writeFileSync(join(source, "nginx/access.log"), "three\n");
  writeFileSync(join(source, "image.png"), "four\n");
});

afterAll(async () => {
  await Promise.all([server, required, off].map((each) => each.stop()));
});

const missing = (...fields: string[]) => ({
  detail: fields.map((field) => ({
    loc: ["body", field],
    msg: "field required",
    type: "value_error.missing",
  })),
});

const paths = { source_paths: ["/var/log"], target_path: "/backup/logs" };
const jobNotFound = { detail: "Job not found" };

describe("validation", () => {
  const collect = (name: string, body: unknown, detail: unknown): Example => ({
    name,
    method: "POST",
    path: "/api/v1/collect",
    body,
    status: 422,
    answer: { detail },
  });
  testExamples(
    () => server.url,
    [
      {
        name: "2.2 availability",
        method: "GET",
        path: "/api/v1/collect",
        status: 422,
        answer: missing("source_paths"),
      },
      collect("4.1.3 target missing", { source_paths: ["/var/log"] }, missing("target_path").detail),
      collect("both missing", {}, missing("source_paths", "target_path").detail),
      collect("4.1.3 no sources", { source_paths: [], target_path: "/backup/logs" }, [
        {
          loc: ["body", "source_paths"],
          msg: "ensure this value has at least 1 items",
          type: "value_error.list.min_items",
          ctx: { limit_value: 1 },
        },
      ]),
      collect("4.1.3 operation mode", { ...paths, operation_mode: "invalid_mode" }, [
        {
          loc: ["body", "operation_mode"],
          msg: "value is not a valid enumeration member; permitted: 'copy', 'move', 'move_remove'",
          type: "type_error.enum",
          ctx: { enum_values: ["copy", "move", "move_remove"] },
        },
      ]),
      collect("4.1.3 archive format", { ...paths, create_archive: true, archive_format: "rar" }, [
        {
          loc: ["body", "archive_format"],
          msg: "value is not a valid enumeration member; permitted: 'zip', 'tar', '7z'",
          type: "type_error.enum",
          ctx: { enum_values: ["zip", "tar", "7z"] },
        },
      ]),
      collect("4.1.3 pattern type", { ...paths, patterns: [{ pattern: "*.log", pattern_type: "invalid" }] }, [
        {
          loc: ["body", "patterns", 0, "pattern_type"],
          msg: "pattern_type must be 'regex' or 'glob'",
          type: "value_error",
        },
      ]),
      collect(
        "email addresses",
        { ...paths, email_config: { smtp_host: "h", from_email: "x", to_email: "y@z.ru" } },
        [
          {
            loc: ["body", "email_config", "from_email"],
            msg: "value is not a valid email address",
            type: "value_error.email",
          },
        ],
      ),
      collect("wrong types", { source_paths: "/var/log", target_path: 7, create_archive: "yes" }, [
        { loc: ["body", "source_paths"], msg: "value is not a valid list", type: "type_error.list" },
        { loc: ["body", "target_path"], msg: "str type expected", type: "type_error.str" },
        {
          loc: ["body", "create_archive"],
          msg: "value could not be parsed to a boolean",
          type: "type_error.bool",
        },
      ]),
      {
        name: "4.1.3 source missing",
        method: "POST",
        path: "/api/v1/collect",
        body: { source_paths: ["/nonexistent/path"], target_path: "/backup/logs" },
        status: 400,
        answer: { detail: "Source path does not exist: /nonexistent/path" },
      },
      {
        name: "bad regular expression",
        method: "POST",
        path: "/api/v1/collect",
        body: { ...paths, patterns: [{ pattern: "(", pattern_type: "regex" }] },
        status: 422,
        answer: { detail: expect.stringMatching(/^Invalid regex pattern: '\('\. Error: ./) },
      },
      {
        name: "malformed JSON",
        method: "POST",
        path: "/api/v1/collect",
        body: '{"source_paths": [',
        status: 422,
        answer: {
          detail: [expect.objectContaining({ loc: expect.any(Array), type: "value_error.jsondecode" })],
        },
      },
      {
        name: "no body",
        method: "POST",
        path: "/api/v1/collect",
        status: 422,
        answer: { detail: [{ loc: ["body"], msg: "field required", type: "value_error.missing" }] },
      },
      {
        name: "another content type",
        method: "POST",
        path: "/api/v1/collect",
        headers: { "Content-Type": "text/plain" },
        body: JSON.stringify(paths),
        status: 422,
        answer: { detail: [{ loc: ["body"], msg: "value is not a valid dict", type: "type_error.dict" }] },
      },
      {
        name: "body too large",
        method: "POST",
        path: "/api/v1/collect",
        body: JSON.stringify({ ...paths, filler: "x".repeat(1024 * 1024) }),
        status: 413,
        answer: { detail: "Request body too large" },
      },
      {
        name: "unknown path",
        method: "GET",
        path: "/api/v1/collect/nothing",
        status: 404,
        answer: { detail: "Not Found" },
      },
      {
        name: "unknown path outside",
        method: "GET",
        path: "/nothing",
        status: 404,
        answer: { detail: "Not Found" },
      },
      {
        name: "wrong method",
        method: "PUT",
        path: "/api/v1/collect",
        status: 405,
        answer: { detail: "Method Not Allowed" },
        answerHeaders: { allow: /^(GET, POST|POST, GET)$/ },
      },
      {
        name: "trailing slash",
        method: "GET",
        path: "/api/v1/collect/",
        status: 422,
        answer: missing("source_paths"),
      },
      {
        name: "WebSocket path without upgrade",
        method: "GET",
        path: `/api/v1/ws/progress/${unknownJob}`,
        status: 426,
        answer: { detail: "Upgrade Required" },
      },
    ],
  );
});

describe("unknown jobs", () => {
  const rows: Example[] = [];
  for (const id of ["nonexistent-job-id", "invalid-id-format", unknownJob, "%00", "%ZZ"])
    for (const [method, path] of [
      ["GET", "progress"],
      ["GET", "result"],
      ["DELETE", "job"],
    ] as const)
      rows.push({ name: "404", method, path: `/api/v1/${path}/${id}`, status: 404, answer: jobNotFound });
  testExamples(() => server.url, rows);

  test("5.1.4 the WebSocket says so and closes with 4404", async () => {
    for (const id of ["nonexistent-job-id", "invalid-format", unknownJob]) {
      const { frames, code } = await followJob(server.url, id);
      expect(frames).toEqual([jobNotFound]);
      expect(code).toBe(4404);
    }
  });
});

describe("credentials", () => {
  const positive = {
    loc: ["body", "expires_in"],
    msg: "ensure this value is greater than 0",
    type: "value_error.number.not_gt",
    ctx: { limit_value: 0 },
  };
  const badKey = { detail: "Invalid or missing API key" };
  const badToken = { detail: "Invalid or expired token" };
  const notConfigured = { detail: "Authentication not configured" };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) => ({
    method: "POST",
    path: `/api/v1${path}`,
    body,
    headers,
  });

  testExamples(
    () => server.url,
    [
      {
        name: "3.2.2 API key",
        ...post("/auth/api-key", { name: "my-client" }),
        status: 200,
        answer: {
          name: "my-client",
          api_key: expect.stringMatching(/^[A-Za-z0-9]{64}$/),
          message: "Save this API key securely. It will not be shown again.",
        },
      },
      {
        name: "name in use",
        ...post("/auth/api-key", { name: "my-client" }),
        status: 409,
        answer: { detail: "API key already exists: my-client" },
      },
      { name: "3.2.2 name missing", ...post("/auth/api-key", {}), status: 422, answer: missing("name") },
      {
        name: "3.3.2 token",
        ...post("/auth/token", { user_id: "admin", expires_in: 3600 }),
        status: 200,
        answer: {
          access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
          token_type: "bearer",
          expires_in: 3600,
          user_id: "admin",
        },
      },
      {
        name: "3.3.2 default lifetime",
        ...post("/auth/token", { user_id: "admin" }),
        status: 200,
        answer: expect.objectContaining({ expires_in: 3600 }),
      },
      {
        name: "3.3.2 user_id missing",
        ...post("/auth/token", { expires_in: 3600 }),
        status: 422,
        answer: missing("user_id"),
      },
      {
        name: "3.3.2 negative lifetime",
        ...post("/auth/token", { user_id: "admin", expires_in: -100 }),
        status: 422,
        answer: { detail: [positive] },
      },
      {
        name: "3.2.3 wrong key, even where none is needed",
        ...post("/collect", paths, { "X-API-Key": "invalid-key" }),
        status: 401,
        answer: badKey,
      },
      {
        name: "3.3.3 bad token",
        ...post("/collect", paths, { Authorization: "Bearer invalid-token" }),
        status: 401,
        answer: badToken,
      },
      {
        name: "3.3.3 token of the document",
        ...post("/collect", paths, {
          Authorization:
            "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiYWRtaW4iLCJleHAiOjE2MDAwMDAwMDB9.expired",
        }),
        status: 401,
        answer: badToken,
      },
      {
        name: "3.3.3 expired token",
        ...post("/collect", paths, {
          Authorization: `Bearer ${forge({ alg: "HS256", typ: "JWT" }, { sub: "a", user_id: "a", iat: 1, exp: 1_600_000_000 }, Buffer.from(secret))}`,
        }),
        status: 401,
        answer: badToken,
      },
      {
        name: "3.3.3 wrong scheme",
        ...post("/collect", paths, { Authorization: "Token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..." }),
        status: 401,
        answer: badToken,
      },
      {
        name: "a body that is not valid gets its 401 first",
        ...post("/collect", {}, { "X-API-Key": "invalid-key" }),
        status: 401,
        answer: badKey,
      },
      {
        name: "a foreign Host is not local",
        ...post("/collect", paths, { Host: "quintet.example.com" }),
        status: 401,
        answer: badKey,
      },
      {
        name: "a web page of another origin is not local",
        ...post("/collect", paths, { Origin: "http://evil.example.com" }),
        status: 401,
        answer: badKey,
      },
      {
        name: "what a proxy hands on is not local",
        ...post("/collect", paths, { "X-Forwarded-For": "10.0.0.9" }),
        status: 401,
        answer: badKey,
      },
    ],
  );
  testExamples(
    () => required.url,
    [{ name: "3.2.3 no key where one is needed", ...post("/collect", paths), status: 401, answer: badKey }],
  );
  testExamples(
    () => off.url,
    [
      {
        name: "3.2.2 off",
        ...post("/auth/api-key", { name: "my-client" }),
        status: 503,
        answer: notConfigured,
      },
      { name: "off", ...post("/auth/token", { user_id: "admin" }), status: 503, answer: notConfigured },
    ],
  );

  test("7.2 a minted key and a minted token open the door", async () => {
    const mint = async (path: string, body: object) =>
      (await (
        await fetch(`${required.url}/api/v1/auth/${path}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        })
      ).json()) as Record<string, string>;
    const { api_key } = await mint("api-key", { name: "door" });
    const { access_token } = await mint("token", { user_id: "admin" });
    const progress = `${required.url}/api/v1/progress/${unknownJob}`;
    for (const headers of [{ "X-API-Key": api_key ?? "" }, { Authorization: `Bearer ${access_token}` }])
      expect((await fetch(progress, { headers: headers as Record<string, string> })).status).toBe(404);
    expect((await fetch(progress)).status).toBe(401);

    const listed = (await (
      await fetch(`${required.url}/api/v1/auth/api-key`, { headers: { "X-API-Key": api_key ?? "" } })
    ).json()) as object[];
    expect(listed).toEqual([{ name: "door", created_at: expect.any(String) }]);
    const revoke = () =>
      fetch(`${required.url}/api/v1/auth/api-key/door`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${access_token}` },
      });
    expect((await revoke()).status).toBe(204);
    expect((await revoke()).status).toBe(404);
    expect((await fetch(progress, { headers: { "X-API-Key": api_key ?? "" } })).status).toBe(401);
  });
});

describe("a collection", () => {
  test("7.1 start, follow, result", async () => {
    const started = await collectTree(server.url, {
      source_paths: [source],
      target_path: target,
      patterns: [
        { pattern: "*.log", pattern_type: "glob" },
        { pattern: ".*\\.txt$", pattern_type: "regex" },
      ],
      operation_mode: "copy",
      create_archive: true,
      archive_format: "zip",
      collect_system_info: true,
    });
    expect(started).toEqual({ job_id: expect.stringMatching(/^[0-9a-f-]{36}$/), status: "started" });

    const { frames, code } = await followJob(server.url, started.job_id);
    expect(code).toBe(1000);
    expect(frames.at(-1)).toEqual({
      job_id: started.job_id,
      percentage: 100,
      current: 3,
      total: 3,
      current_file: expect.stringContaining(source),
      status: "completed",
    });
    for (const frame of frames.slice(0, -1)) expect(frame).toMatchObject({ status: "pending" });

    const progress = await (await fetch(`${server.url}/api/v1/progress/${started.job_id}`)).json();
    expect(progress).toEqual({
      job_id: started.job_id,
      percentage: 100,
      current: 3,
      total: 3,
      current_file: expect.stringContaining(source),
    });

    const result = await waitForResult(server.url, started.job_id);
    expect(result).toEqual({
      job_id: started.job_id,
      status: "completed",
      results: expect.objectContaining({
        total_files: 3,
        processed_files: 3,
        failed_files: 0,
        skipped_files: 0,
        bytes: 14,
        target_path: target,
        archive_created: true,
        archive_path: join(target, "archive.zip"),
        pc_info_collected: true,
        pc_info_path: join(target, "pc_info.json"),
        manifest_path: join(target, "manifest.json"),
        warnings: [],
      }),
    });
    expect(readFileSync(join(target, "nginx/access.log"), "utf8")).toBe("three\n");
    expect(JSON.parse(readFileSync(join(target, "pc_info.json"), "utf8"))).toHaveProperty("hostname");
  });

  test("4.4 a job that is over is forgotten on DELETE, its files stay", async () => {
    const { job_id } = await collectTree(server.url, { source_paths: [source], target_path: `${target}-2` });
    await waitForResult(server.url, job_id);
    const response = await fetch(`${server.url}/api/v1/job/${job_id}`, { method: "DELETE" });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "cancelled" });
    expect((await fetch(`${server.url}/api/v1/progress/${job_id}`)).status).toBe(404);
    expect(readFileSync(join(`${target}-2`, "app.log"), "utf8")).toBe("one\n");
  });

  test("5.1.3 a ping gets its pong", async () => {
    const { job_id } = await collectTree(server.url, { source_paths: [source], target_path: `${target}-3` });
    const { frames } = await followJob(server.url, job_id, { type: "ping" });
    expect(frames.some((frame) => JSON.stringify(frame) === '{"type":"pong"}') || frames.length > 0).toBe(
      true,
    );
  });
});

describe("rate limit", () => {
  test("6.3 one hundred a minute, told in headers", async () => {
    const limited = await startTestServer({ RATE_LIMITS: "on" });
    try {
      const path = `${limited.url}/api/v1/progress/${unknownJob}`;
      const first = await fetch(path);
      expect(first.status).toBe(404);
      expect(first.headers.get("x-ratelimit-limit")).toBe("100");
      expect(first.headers.get("x-ratelimit-remaining")).toBe("99");
      expect(Number(first.headers.get("x-ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000 - 1);
      for (let sent = 1; sent < 100; sent++) await fetch(path);
      const over = await fetch(path);
      expect(over.status).toBe(429);
      expect(await over.json()).toEqual({ detail: "Rate limit exceeded. Please try again later." });
      expect(over.headers.get("x-ratelimit-remaining")).toBe("0");
      expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(0);
    } finally {
      await limited.stop();
    }
  });
});
