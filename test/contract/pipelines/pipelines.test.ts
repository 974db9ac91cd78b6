/** Pipelines, runs, triggers and projects of `specs/pipelines.md`: every request and answer, over HTTP and the socket. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { type Answer, ask, register } from "../../support/accounts.ts";
import { type Example, testExamples } from "../../support/contract.ts";
import { forge } from "../../support/forge.ts";
import { until } from "../../support/logger.ts";
import { freePort, hasPostgres, startPostgres, type TestPostgres } from "../../support/postgres.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const roles = ["admin", "analyst", "engineer", "architect"] as const;
type Role = (typeof roles)[number];

const secret = "a key of tokens that these tests know, long enough";
const tokens: Partial<Record<Role | "expired", string>> = {};
const headers = Object.fromEntries(
  [...roles, "expired" as const].map((name) => [
    name,
    {
      get Authorization() {
        return `Bearer ${tokens[name]}`;
      },
    },
  ]),
) as unknown as Record<Role | "expired", Record<string, string>>;

let server: TestServer;
let deadPort: number;
const url = () => server.url;

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const idLike = (kind: string) => expect.stringMatching(new RegExp(`^${kind}_[1-9]\\d*$`));
const failure = (code: string, message: unknown = expect.any(String), details: unknown = {}) => ({
  error: { code, message, details, request_id: expect.any(String) },
});
const invalid = (field: string, reason: unknown = expect.any(String)) =>
  failure("VALIDATION_ERROR", "Invalid request parameters", expect.objectContaining({ field, reason }));
const notFound = (what: string) => failure("RESOURCE_NOT_FOUND", `${what} not found`);
const denied = failure("PERMISSION_DENIED", "Not enough permissions");

const as = (role: Role, method: string, path: string, body?: unknown) => ({
  method,
  path: `/api/v1${path}`,
  headers: headers[role],
  ...(body === undefined ? {} : { body }),
});
const call = (role: Role, method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(server.url, method, `/api/v1${path}`, {
    token: tokens[role] ?? "",
    ...(body === undefined ? {} : { body }),
  });

/** The document's "Детали пайплайна". */
const daily = {
  project_id: "project_1",
  name: "Daily Sales ETL",
  description: "Extract sales data from PostgreSQL, transform and load to ClickHouse",
  schedule: "0 2 * * *",
  sources: [
    {
      id: "source_1",
      type: "postgresql",
      config: { host: "postgres.example.com", port: 5432, database: "sales_db", table: "transactions" },
    },
  ],
  transformations: [
    { id: "transform_1", type: "python", code: "def transform(df): return df[df['amount'] > 0]" },
  ],
  targets: [
    {
      id: "target_1",
      type: "clickhouse",
      config: { host: "clickhouse.example.com", database: "analytics", table: "daily_sales" },
    },
  ],
};

const sourceIn = (port: number) => ({
  type: "postgresql",
  config: {
    host: "127.0.0.1",
    port,
    database: "sales_db",
    username: "etl_user",
    password: "SecurePass123!",
    table: "transactions",
  },
});
let names = 0;

/** Makes a pipeline and answers its id; nobody answers where its source should be. */
async function make(more: object = {}): Promise<string> {
  const { status, body } = await call("engineer", "POST", "/pipelines", {
    name: `made ${names++}`,
    sources: [sourceIn(deadPort)],
    targets: [{ ...sourceIn(deadPort), config: { ...sourceIn(deadPort).config, table: "copy" } }],
    ...more,
  });
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id;
}

/** Gives the four roles of the document their accounts. */
async function enroll(at: string): Promise<Partial<Record<Role, string>>> {
  const made: Partial<Record<Role, string>> = {};
  for (const role of roles) made[role] = await register(at, role);
  for (const [index, role] of roles.entries())
    if (role === "engineer" || role === "architect") {
      const { status } = await ask(at, "PUT", `/api/v1/users/${index + 1}`, {
        token: made.admin ?? "",
        body: { role },
      });
      expect(status).toBe(200);
    }
  return made;
}

beforeAll(async () => {
  [server, deadPort] = await Promise.all([startTestServer({ JWT_SECRET: secret }), freePort()]);
  Object.assign(tokens, await enroll(server.url));
  const [, claims = ""] = (tokens.analyst ?? "").split(".");
  tokens.expired = forge(
    { alg: "HS256", typ: "JWT" },
    { ...JSON.parse(Buffer.from(claims, "base64url").toString()), iat: 1_000_000_000, exp: 1_000_003_600 },
    Buffer.from(secret),
  );
  // pipeline_1 is the document's own; it is read by the tables below and changed by none.
  const { body } = await call("engineer", "POST", "/pipelines", daily);
  expect(body.id).toBe("pipeline_1");
  // pipeline_2 is for what must be refused, so that nothing else suffers when it is not.
  expect(await make({ name: "The second", config: { retries: 0 } })).toBe("pipeline_2");
});

afterAll(async () => {
  await server.stop();
});

describe("who may ask (Аутентификация)", () => {
  const get = (path: string, given: Record<string, string> = {}) => ({
    method: "GET",
    path: `/api/v1${path}`,
    headers: given,
  });
  const paths = ["/pipelines", "/pipelines/pipeline_1", "/connectors", "/mvp/triggers", "/projects"];
  testExamples(
    url,
    paths.flatMap((path): Example[] => [
      {
        name: "no token",
        ...get(path),
        status: 401,
        answer: failure("AUTH_FAILED", "Not authenticated"),
        answerHeaders: { "www-authenticate": "Bearer" },
      },
      {
        name: "another scheme",
        ...get(path, { Authorization: "Basic eDp5" }),
        status: 401,
        answer: failure("AUTH_FAILED", "Not authenticated"),
      },
      {
        name: "a bad token",
        ...get(path, { Authorization: "Bearer x.y.z" }),
        status: 401,
        answer: failure("INVALID_TOKEN", "Not authenticated"),
      },
      {
        name: "a token whose time is over",
        ...get(path, headers.expired),
        status: 401,
        answer: failure("TOKEN_EXPIRED", "Not authenticated"),
      },
      { name: "an analyst reads", ...as("analyst", "GET", path), status: 200 },
    ]),
  );

  test("a bad body tells nothing to one who has no token", async () => {
    const { status, body } = await ask(url(), "POST", "/api/v1/pipelines", { body: { name: 7 } });
    expect(status).toBe(401);
    expect(body.error.code).toBe("AUTH_FAILED");
  });

  test("request_id is the X-Request-Id of the answer, the client's own where it sent one", async () => {
    for (const [path, token, status] of [
      ["/api/v1/pipelines", undefined, 401],
      ["/api/v1/pipelines/pipeline_999", tokens.analyst, 404],
      ["/api/v1/pipelines?limit=0", tokens.analyst, 422],
      ["/api/v1/pipelines/1/else", tokens.analyst, 404],
    ] as const) {
      const given = token === undefined ? {} : { token };
      const answer = await ask(url(), "GET", path, given);
      expect(answer.status).toBe(status);
      expect(answer.body.error.request_id).toBe(answer.headers.get("x-request-id"));
      const named = await ask(url(), "GET", path, { ...given, headers: { "X-Request-Id": "req_abc123" } });
      expect(named.headers.get("x-request-id")).toBe("req_abc123");
      expect(named.body.error.request_id).toBe("req_abc123");
    }
  });
});

describe("what each role may do", () => {
  const engineers: [string, string, unknown?][] = [
    ["POST", "/pipelines", daily],
    ["PUT", "/pipelines/1", { name: "x" }],
    ["DELETE", "/pipelines/1"],
    ["POST", "/pipelines/1/deploy"],
    ["POST", "/connectors", { name: "x", type: "postgresql" }],
    ["PUT", "/connectors/1", { name: "x" }],
    ["DELETE", "/connectors/1"],
    ["POST", "/connectors/1/test"],
    ["POST", "/mvp/triggers/create", { name: "x", pipeline_id: "pipeline_1", trigger_type: "manual" }],
    ["POST", "/mvp/triggers/1/pause"],
    ["POST", "/mvp/triggers/1/resume"],
    ["DELETE", "/mvp/triggers/1"],
  ];
  const architects: [string, string, unknown?][] = [
    ["POST", "/projects", { name: "x" }],
    ["PUT", "/projects/1", { name: "x" }],
    ["DELETE", "/projects/1"],
  ];
  const refused = (role: Role, list: typeof engineers): Example[] =>
    list.map(([method, path, body]) => ({
      name: `${role} may not`,
      ...as(role, method, path, body),
      status: 403,
      answer: denied,
    }));
  testExamples(url, [
    ...refused("analyst", engineers),
    ...refused("analyst", architects),
    ...refused("engineer", architects),
  ]);

  test("an analyst runs, looks and cancels", async () => {
    const pipeline = await make();
    const { status, body } = await call("analyst", "POST", `/pipelines/${pipeline}/run`);
    expect(status).toBe(202);
    for (const path of ["versions", "runs", `runs/${body.run_id}`, `runs/${body.run_id}/logs`])
      expect((await call("analyst", "GET", `/pipelines/${pipeline}/${path}`)).status).toBe(200);
    expect((await call("analyst", "POST", `/pipelines/${pipeline}/runs/${body.run_id}/cancel`)).status).toBe(
      202,
    );
    expect((await call("analyst", "POST", `/mvp/triggers/manual/${pipeline}`)).status).toBe(202);
  });

  test("an architect and an admin do what an engineer does", async () => {
    for (const role of ["architect", "admin"] as const) {
      const made = await call(role, "POST", "/pipelines", { name: `of the ${role}` });
      expect(made.status).toBe(201);
      expect((await call(role, "DELETE", `/pipelines/${made.body.id}`)).status).toBe(204);
    }
  });
});

describe("Детали пайплайна", () => {
  const whole = {
    ...daily,
    id: "pipeline_1",
    status: "draft",
    version: 1,
    created_at: time,
    updated_at: time,
  };
  const answer = expect.objectContaining(whole);
  testExamples(url, [
    { name: "the document's example", ...as("analyst", "GET", "/pipelines/pipeline_1"), status: 200, answer },
    { name: "by number", ...as("analyst", "GET", "/pipelines/1"), status: 200, answer },
    { name: "with a slash at the end", ...as("analyst", "GET", "/pipelines/1/"), status: 200, answer },
    ...[
      "pipeline_999",
      "999",
      "pipeline_0",
      "0",
      "-1",
      "1.5",
      "zero",
      "run_1",
      "pipeline_",
      "pipeline_99999999999999999999",
      "99999999999999999999",
      "%00",
      "%D1%8F",
      "1;drop",
    ].map((id) => ({
      name: "no such id",
      ...as("analyst", "GET", `/pipelines/${id}`),
      status: 404,
      answer: notFound("Pipeline"),
    })),
  ]);
});

describe("Создание пайплайна", () => {
  test("the document's example", async () => {
    const { status, body } = await call("engineer", "POST", "/pipelines", {
      ...daily,
      name: "Custom ETL Pipeline",
      description: "Manual pipeline creation",
      schedule: "0 3 * * *",
    });
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        id: idLike("pipeline"),
        project_id: "project_1",
        name: "Custom ETL Pipeline",
        status: "draft",
        created_at: time,
      },
    });
    const again = await call("engineer", "POST", "/pipelines", { name: "CUSTOM etl pipeline" });
    expect({ status: again.status, body: again.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });
    expect((await call("engineer", "DELETE", `/pipelines/${body.id}`)).status).toBe(204);
    const free = await call("engineer", "POST", "/pipelines/", { name: "Custom ETL Pipeline" });
    expect(free.status).toBe(201);
    expect(free.body.id).not.toBe(body.id);
  });

  test("only a name is needed; the project is the default one, ids are given", async () => {
    const { body } = await call("engineer", "POST", "/pipelines", {
      name: "bare",
      project_id: 1,
      sources: [{ type: "postgresql", config: {} }, { type: "postgresql" }],
    });
    const { body: whole } = await call("engineer", "GET", `/pipelines/${body.id}`);
    expect(whole).toMatchObject({
      project_id: "project_1",
      description: "",
      schedule: null,
      transformations: [],
      targets: [],
    });
    expect(whole.sources.map(({ id }: { id: string }) => id)).toEqual(["source_1", "source_2"]);
  });

  test("secrets are in no answer", async () => {
    const nested = { ...sourceIn(1), config: { ...sourceIn(1).config, options: { password: "Nested1!" } } };
    const pipeline = await make({ sources: [sourceIn(1), nested] });
    const answers = await Promise.all(
      ["", `/${pipeline}`, `/${pipeline}/versions`].map((path) => call("admin", "GET", `/pipelines${path}`)),
    );
    const text = JSON.stringify(answers.map(({ body }) => body));
    expect(text).not.toContain("SecurePass123!");
    expect(text).not.toContain("Nested1!");
  });

  const post = (body: unknown) => as("engineer", "POST", "/pipelines", body);
  const bad = (name: string, body: unknown, field: string, reason?: unknown): Example => ({
    name,
    ...post(body),
    status: 422,
    answer: invalid(field, reason),
  });
  const named = (more: object) => ({ name: "bad", ...more });
  testExamples(url, [
    bad("nothing", {}, "name", "field required"),
    bad("a name that is none", { name: 7 }, "name", "str type expected"),
    bad("an empty name", { name: "" }, "name", "ensure this value has at least 1 characters"),
    bad("a long name", { name: "x".repeat(201) }, "name", "ensure this value has at most 200 characters"),
    bad("a name with a NUL", { name: "a\0b" }, "name"),
    bad("half a character", { name: "a\ud800" }, "name"),
    bad("sources that are no list", named({ sources: {} }), "sources", "value is not a valid list"),
    bad("a source of nothing", named({ sources: [{}] }), "sources.0"),
    bad(
      "a source of an unknown type",
      named({ sources: [daily.sources[0], { type: "abacus" }] }),
      "sources.1.type",
    ),
    bad("a target of an unknown type", named({ targets: [{ type: "toString" }] }), "targets.0.type"),
    bad(
      "a transformation of an unknown type",
      named({ transformations: [{ type: "perl", code: "1" }] }),
      "transformations.0.type",
    ),
    bad(
      "a transformation without code",
      named({ transformations: [{ type: "sql" }] }),
      "transformations.0.code",
      "field required",
    ),
    bad("an unknown mode", named({ config: { mode: "overwrite" } }), "config.mode"),
    bad("a zone that is none", { name: "no zone", config: { timezone: "Nowhere/City" } }, "config.timezone"),
    ...[
      "0 0 2 * * *",
      "61 * * * *",
      "* 24 * * *",
      "tomorrow",
      "* * * *",
      "@daily",
      "0 0 31 2 *",
      "",
      " ",
    ].map((schedule) => bad(`schedule "${schedule}"`, named({ schedule }), "schedule")),
    bad("a schedule that is a number", named({ schedule: 5 }), "schedule", "str type expected"),
    { name: "no JSON", ...post("{"), status: 422, answer: invalid("") },
    { name: "a list", ...post([]), status: 422, answer: invalid("") },
    { name: "no body", ...as("engineer", "POST", "/pipelines"), status: 422 },
    {
      name: "a form",
      ...post("name=x"),
      headers: headers.engineer,
      status: 422,
      answer: failure("VALIDATION_ERROR", "Invalid request parameters", expect.any(Object)),
    },
    {
      name: "several problems: the first by name, and all of them",
      ...post({ name: 7, sources: {} }),
      status: 422,
      answer: failure("VALIDATION_ERROR", "Invalid request parameters", {
        field: "name",
        reason: "str type expected",
        problems: [
          { field: "name", reason: "str type expected" },
          { field: "sources", reason: "value is not a valid list" },
        ],
      }),
    },
    {
      name: "a body beyond 4 MB",
      ...post({ name: "x".repeat(4_200_000) }),
      status: 413,
      answer: failure("PAYLOAD_TOO_LARGE"),
    },
    ...["project_999", "nowhere", "pipeline_1"].map((project_id) => ({
      name: `project ${project_id}`,
      ...post(named({ project_id })),
      status: 404,
      answer: notFound("Project"),
    })),
    ...["connector_999", "nowhere"].map((connector_id) => ({
      name: `a source from ${connector_id}`,
      ...post(named({ sources: [{ connector_id }] })),
      status: 404,
      answer: notFound("Connector"),
    })),
    ...(
      [
        ["a description", { description: "\0" }],
        ["code", { transformations: [{ type: "sql", code: "select '\0'" }] }],
        ["a configuration", { sources: [{ type: "postgresql", config: { table: "a\0" } }] }],
        ["an option", { config: { note: "\0" } }],
      ] as const
    ).map(([where, more]) => ({
      name: `a NUL in ${where}`,
      ...post({ name: `a NUL in ${where}`, ...more }),
      status: 422,
      answer: failure("VALIDATION_ERROR", expect.any(String), expect.any(Object)),
    })),
  ]);
});

describe("Список пайплайнов", () => {
  let project: string;
  let ids: string[] = [];

  beforeAll(async () => {
    project = (await call("architect", "POST", "/projects", { name: "Listed" })).body.id;
    for (let at = 0; at < 5; at++) ids.push(await make({ project_id: project, name: `listed ${at}` }));
    ids = ids.toReversed();
    expect((await call("engineer", "POST", `/pipelines/${ids[0]}/deploy`)).status).toBe(200);
    expect((await call("engineer", "PUT", `/pipelines/${ids[1]}`, { status: "paused" })).status).toBe(200);
  });

  const listed = async (query: string) => (await call("analyst", "GET", `/pipelines?${query}`)).body;
  const idsOf = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);

  test("each pipeline as the document shows it, with its last run", async () => {
    const { run_id } = (await call("analyst", "POST", `/pipelines/${ids[4]}/run`)).body;
    await until(
      async () => (await call("analyst", "GET", `/pipelines/${ids[4]}/runs/${run_id}`)).body.started_at,
    );
    const { items, ...page } = await listed(`project_id=${project}`);
    expect(page).toEqual({ total: 5, limit: 20, offset: 0 });
    expect(items[4]).toEqual({
      id: ids[4],
      project_id: project,
      name: "listed 0",
      description: "",
      status: "draft",
      version: 1,
      schedule: null,
      created_at: time,
      updated_at: time,
      last_run: {
        id: run_id,
        status: expect.any(String),
        started_at: time,
        finished_at: items[4].last_run.finished_at === null ? null : time,
        rows_processed: 0,
      },
    });
    expect(items[3].last_run).toBeNull();
    await call("analyst", "POST", `/pipelines/${ids[4]}/runs/${run_id}/cancel`);
  });

  test("pages and filters", async () => {
    expect(idsOf(await listed(`project_id=${project}`))).toEqual(ids);
    expect(idsOf(await listed(`project_id=${project.slice("project_".length)}`))).toEqual(ids);
    const second = await listed(`project_id=${project}&limit=2&offset=2`);
    expect(idsOf(second)).toEqual(ids.slice(2, 4));
    expect(second).toMatchObject({ total: 5, limit: 2, offset: 2 });
    expect(await listed(`project_id=${project}&offset=99`)).toEqual({
      items: [],
      total: 5,
      limit: 20,
      offset: 99,
    });
    expect(idsOf(await listed(`project_id=${project}&status=active`))).toEqual([ids[0]!]);
    expect(idsOf(await listed(`project_id=${project}&status=paused`))).toEqual([ids[1]!]);
    expect(idsOf(await listed(`project_id=${project}&status=draft`))).toEqual(ids.slice(2));
    expect(await listed(`project_id=${project}&status=failed`)).toMatchObject({ items: [], total: 0 });
    expect(await listed("project_id=project_999")).toMatchObject({ items: [], total: 0 });
  });

  const get = (query: string) => as("analyst", "GET", `/pipelines?${query}`);
  testExamples(url, [
    ...["limit=0", "limit=1001", "limit=x", "limit=1.5"].map((query) => ({
      name: "a bad limit",
      ...get(query),
      status: 422,
      answer: invalid("limit"),
    })),
    { name: "a bad offset", ...get("offset=-1"), status: 422, answer: invalid("offset") },
    {
      name: "a status that is none",
      ...get("status=running"),
      status: 422,
      answer: invalid(
        "status",
        "value is not a valid enumeration member; permitted: 'draft', 'active', 'paused', 'failed'",
      ),
    },
    { name: "with a slash", ...as("analyst", "GET", "/pipelines/?limit=1"), status: 200 },
  ]);
});

describe("Обновление пайплайна", () => {
  test("the document's example", async () => {
    const pipeline = await make({ ...daily, name: "before" });
    const { status, body } = await call("engineer", "PUT", `/pipelines/${pipeline}`, {
      name: "Updated Pipeline Name",
      description: "Updated description",
      schedule: "0 4 * * *",
    });
    expect({ status, body }).toEqual({
      status: 200,
      body: { id: pipeline, name: "Updated Pipeline Name", version: 2, updated_at: time },
    });
    expect((await call("analyst", "GET", `/pipelines/${pipeline}`)).body).toMatchObject({
      name: "Updated Pipeline Name",
      description: "Updated description",
      schedule: "0 4 * * *",
      version: 2,
      sources: daily.sources,
      transformations: daily.transformations,
      targets: daily.targets,
    });
  });

  test("what is not given stays, the options too; a schedule is taken away with null", async () => {
    const config = { mode: "merge", key: ["id"], retries: 5, timezone: "Europe/Moscow" };
    const pipeline = await make({ schedule: "0 4 * * *", config });
    await call("engineer", "PUT", `/pipelines/${pipeline}`, { description: "only this" });
    expect((await call("analyst", "GET", `/pipelines/${pipeline}`)).body).toMatchObject({
      schedule: "0 4 * * *",
      description: "only this",
      config,
    });
    await call("engineer", "PUT", `/pipelines/${pipeline}`, { schedule: null });
    expect((await call("analyst", "GET", `/pipelines/${pipeline}`)).body.schedule).toBeNull();
  });

  test("each change is a version", async () => {
    const pipeline = await make({ schedule: "0 4 * * *" });
    await call("engineer", "PUT", `/pipelines/${pipeline}`, { schedule: "0 5 * * *" });
    const { status, body } = await call("analyst", "GET", `/pipelines/${pipeline}/versions`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        items: [
          { version: 2, schedule: "0 5 * * *", created_at: time, created_by: "user_3" },
          { version: 1, schedule: "0 4 * * *", created_at: time, created_by: "user_3" },
        ],
      },
    });
  });

  test("a name that another has; a zone that is none breaks nothing later", async () => {
    const pipeline = await make({ schedule: "0 4 * * *" });
    const taken = await call("engineer", "PUT", `/pipelines/${pipeline}`, { name: "daily SALES etl" });
    expect({ status: taken.status, body: taken.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });
    const zone = await call("engineer", "PUT", `/pipelines/${pipeline}`, {
      config: { timezone: "Nowhere/City" },
    });
    expect({ status: zone.status, body: zone.body }).toEqual({
      status: 422,
      body: invalid("config.timezone"),
    });
    expect((await call("engineer", "POST", `/pipelines/${pipeline}/deploy`)).status).toBe(200);
  });

  const put = (body: unknown, id = "pipeline_1") => as("engineer", "PUT", `/pipelines/${id}`, body);
  testExamples(url, [
    { name: "unknown", ...put({ name: "x" }, "pipeline_999"), status: 404, answer: notFound("Pipeline") },
    { name: "a bad name", ...put({ name: "" }), status: 422, answer: invalid("name") },
    { name: "six fields", ...put({ schedule: "0 0 2 * * *" }), status: 422, answer: invalid("schedule") },
    { name: "no such minute", ...put({ schedule: "61 * * * *" }), status: 422, answer: invalid("schedule") },
    {
      name: "a status of its own making",
      ...put({ status: "failed" }),
      status: 422,
      answer: invalid("status"),
    },
    {
      name: "unknown connector",
      ...put({ targets: [{ connector_id: "connector_999" }] }),
      status: 404,
      answer: notFound("Connector"),
    },
    {
      name: "unknown type",
      ...put({ targets: [{ type: "abacus" }] }),
      status: 422,
      answer: invalid("targets.0.type"),
    },
    { name: "no JSON", ...put("{", "pipeline_2"), status: 422, answer: invalid("") },
    { name: "a list", ...put([], "pipeline_2"), status: 422, answer: invalid("") },
    {
      name: "what a web page may send without asking",
      ...put({ name: "x" }, "pipeline_2"),
      headers: {
        "Content-Type": "text/plain",
        get Authorization() {
          return headers.engineer.Authorization ?? "";
        },
      },
      status: 422,
      answer: invalid(""),
    },
    {
      name: "a body beyond 4 MB",
      ...put({ description: "x".repeat(4_200_000) }, "pipeline_2"),
      status: 413,
      answer: failure("PAYLOAD_TOO_LARGE"),
    },
  ]);
});

describe("Деплой пайплайна", () => {
  test("the document's example: the newest version, and its name in Airflow", async () => {
    const pipeline = await make({ schedule: "0 2 * * *" });
    for (let version = 2; version <= 4; version++)
      await call("engineer", "PUT", `/pipelines/${pipeline}`, { description: `${version}` });
    const { status, body } = await call("engineer", "POST", `/pipelines/${pipeline}/deploy`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        pipeline_id: pipeline,
        status: "deployed",
        airflow_dag_id: `ai_etl_${pipeline}_v4`,
        deployment_time: time,
      },
    });
    expect((await call("analyst", "GET", `/pipelines/${pipeline}`)).body).toMatchObject({
      status: "active",
      version: 4,
    });
  });

  testExamples(url, [
    {
      name: "unknown",
      ...as("engineer", "POST", "/pipelines/pipeline_999/deploy"),
      status: 404,
      answer: notFound("Pipeline"),
    },
  ]);

  test("without a source and a target it is well-formed, but impossible", async () => {
    const pipeline = await make({ sources: [] });
    for (const path of [
      `/pipelines/${pipeline}/deploy`,
      `/pipelines/${pipeline}/run`,
      `/mvp/triggers/manual/${pipeline}`,
    ]) {
      const { status, body } = await call("engineer", "POST", path);
      expect({ status, body }).toEqual({ status: 400, body: failure("VALIDATION_ERROR") });
    }
  });
});

describe("Запуск пайплайна", () => {
  const accepted = (pipeline: string) => ({
    run_id: idLike("run"),
    pipeline_id: pipeline,
    status: "running",
    started_at: time,
    airflow_run_id: expect.stringMatching(/^manual__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/),
  });
  const parameters = { start_date: "2025-10-01", end_date: "2025-10-02" };

  test("the document's example, and without a body", async () => {
    const pipeline = await make();
    const runs: string[] = [];
    for (const sent of [{ parameters }, {}, undefined]) {
      const { status, body } = await call("analyst", "POST", `/pipelines/${pipeline}/run`, sent);
      expect({ status, body }).toEqual({ status: 202, body: accepted(pipeline) });
      runs.push(body.run_id);
    }
    expect(new Set(runs).size).toBe(3);
    const path = `/pipelines/${pipeline.slice("pipeline_".length)}/runs/${runs[0]?.slice("run_".length)}`;
    const { status, body } = await call("analyst", "GET", path);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { id: runs[0], pipeline_id: pipeline, version: 1, parameters, rows_processed: 0 },
    });
    for (const run of runs) await call("analyst", "POST", `/pipelines/${pipeline}/runs/${run}/cancel`);
  });

  test("a run that fails tells why, without the password or the user's name", async () => {
    const pipeline = await make({ config: { retries: 0 } });
    const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
    const path = `/pipelines/${pipeline}/runs/${run_id}`;
    const failed = await until(async () => {
      const { body } = await call("analyst", "GET", path);
      return body.status === "failed" ? body : null;
    });
    expect(failed).toMatchObject({
      id: run_id,
      started_at: time,
      finished_at: time,
      duration_seconds: expect.any(Number),
      rows_processed: 0,
      error: { code: expect.stringMatching(/^(CONNECTOR|PIPELINE_EXECUTION)_ERROR$/) },
    });
    const { status, body } = await call("analyst", "GET", `${path}/logs`);
    expect(status).toBe(200);
    expect(body.items.length).toBeGreaterThan(0);
    expect(body.items[0]).toEqual({
      id: expect.any(Number),
      at: time,
      level: expect.any(String),
      message: expect.any(String),
    });
    const later = (await call("analyst", "GET", `${path}/logs?after=${body.items[0].id}&limit=1`)).body;
    expect(later.items).toEqual(body.items.slice(1, 2));
    const told = JSON.stringify([failed, body]);
    expect(told).not.toContain("SecurePass123!");
    expect(told).not.toContain("etl_user");
    const over = await call("analyst", "POST", `${path}/cancel`);
    expect(over.status).toBe(409);
  });

  const patient = { config: { retries: 5, retry_delay_seconds: 3600 } };

  test("cancelled while it waits to be tried again", async () => {
    const pipeline = await make(patient);
    const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
    const path = `/pipelines/${pipeline}/runs/${run_id}`;
    await until(async () => (await call("analyst", "GET", path)).body.error !== undefined);
    const { status, body } = await call("analyst", "POST", `${path}/cancel`);
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { id: run_id, status: "cancelled", finished_at: time },
    });
    const cancelled = (await call("analyst", "GET", `/pipelines/${pipeline}/runs?status=cancelled`)).body;
    expect(cancelled).toMatchObject({ total: 1, items: [{ id: run_id, status: "cancelled" }] });
  });

  test("cancelled in whatever moment of its attempt, it is cancelled, not kept for the next one", async () => {
    const pipeline = await make(patient);
    for (let count = 0; count < 20; count++) {
      const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
      const path = `/pipelines/${pipeline}/runs/${run_id}`;
      await Bun.sleep(count % 5);
      expect((await call("analyst", "POST", `${path}/cancel`)).status).toBe(202);
      await until(async () => (await call("analyst", "GET", path)).body.status === "cancelled", 5);
    }
  });

  const post = (path: string, body?: unknown) => as("analyst", "POST", `/pipelines${path}`, body);
  const get = (path: string) => as("analyst", "GET", `/pipelines${path}`);
  testExamples(url, [
    { name: "unknown", ...post("/pipeline_999/run"), status: 404, answer: notFound("Pipeline") },
    {
      name: "parameters that are none",
      ...post("/2/run", { parameters: [] }),
      status: 422,
      answer: invalid("parameters", "value is not a valid dict"),
    },
    { name: "a NUL in a parameter", ...post("/2/run", { parameters: { a: "\0" } }), status: 422 },
    { name: "no JSON", ...post("/2/run", "{"), status: 422, answer: invalid("") },
    { name: "runs of none", ...get("/pipeline_999/runs"), status: 404, answer: notFound("Pipeline") },
    { name: "versions of none", ...get("/pipeline_999/versions"), status: 404, answer: notFound("Pipeline") },
    {
      name: "no runs yet",
      ...get("/1/runs/"),
      status: 200,
      answer: { items: [], total: 0, limit: 20, offset: 0 },
    },
    { name: "a status that is none", ...get("/1/runs?status=done"), status: 422, answer: invalid("status") },
    { name: "a bad limit", ...get("/1/runs?limit=0"), status: 422, answer: invalid("limit") },
    { name: "an unknown run", ...get("/1/runs/run_99999"), status: 404, answer: notFound("Run") },
    { name: "no run's id", ...get("/1/runs/pipeline_1"), status: 404, answer: notFound("Run") },
    { name: "logs of none", ...get("/1/runs/run_99999/logs"), status: 404, answer: notFound("Run") },
    { name: "cancel none", ...post("/1/runs/run_99999/cancel"), status: 404, answer: notFound("Run") },
  ]);

  test("a run of another pipeline is not found", async () => {
    const pipeline = await make({ config: { retries: 0 } });
    const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/logs"],
      ["POST", "/cancel"],
    ] as const)
      expect((await call("analyst", method, `/pipelines/1/runs/${run_id}${path}`)).status).toBe(404);
  });
});

describe("Удаление пайплайна (soft delete)", () => {
  test("204 with nothing; then it is nowhere", async () => {
    const pipeline = await make({ config: { retries: 0 } });
    const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
    const { total } = (await call("analyst", "GET", "/pipelines")).body;
    const gone = await call("engineer", "DELETE", `/pipelines/${pipeline}`);
    expect({ status: gone.status, body: gone.body }).toEqual({ status: 204, body: null });
    const list = (await call("analyst", "GET", "/pipelines?limit=1000")).body;
    expect(list.total).toBe(total - 1);
    expect(list.items.map(({ id }: { id: string }) => id)).not.toContain(pipeline);
    const answers: Record<string, unknown> = {};
    const requests: [string, string, unknown?][] = [
      ["GET", ""],
      ["PUT", "", { name: "x" }],
      ["DELETE", ""],
      ["POST", "/deploy"],
      ["POST", "/run"],
      ["GET", "/runs"],
      ["GET", `/runs/${run_id}`],
      ["GET", `/runs/${run_id}/logs`],
      ["POST", `/runs/${run_id}/cancel`],
      ["GET", "/versions"],
    ];
    for (const [method, path, body] of requests)
      answers[`${method} ${path}`] = (
        await call("engineer", method, `/pipelines/${pipeline}${path}`, body)
      ).status;
    answers.manual = (await call("engineer", "POST", `/mvp/triggers/manual/${pipeline}`)).status;
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 404])));
  });
});

describe("Создание триггера", () => {
  const trigger = {
    name: "Daily Sales Trigger",
    pipeline_id: "pipeline_1",
    trigger_type: "cron",
    config: { cron_expression: "0 2 * * *" },
    enabled: true,
  };
  const shown = {
    trigger_id: idLike("trigger"),
    name: "Daily Sales Trigger",
    pipeline_id: "pipeline_1",
    trigger_type: "cron",
    status: "active",
    next_run: time,
    created_at: time,
  };

  test("the document's example; paused, resumed, deleted", async () => {
    const { status, body } = await call("engineer", "POST", "/mvp/triggers/create", trigger);
    expect({ status, body }).toEqual({ status: 201, body: shown });
    expect(Date.parse(body.next_run)).toBeGreaterThan(Date.now());
    const list = await call("analyst", "GET", "/mvp/triggers?pipeline_id=1");
    const listed = { ...shown, config: trigger.config, last_run: null };
    expect(list.body).toEqual({ items: [listed], total: 1, limit: 20, offset: 0 });

    const again = await call("engineer", "POST", "/mvp/triggers/create", trigger);
    expect({ status: again.status, body: again.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });

    const path = `/mvp/triggers/${body.trigger_id}`;
    const paused = await call("engineer", "POST", `${path}/pause`);
    expect(paused.body).toEqual({ ...listed, status: "paused", next_run: null });
    const number = body.trigger_id.slice("trigger_".length);
    const resumed = await call("engineer", "POST", `/mvp/triggers/${number}/resume`);
    expect(resumed.body).toEqual(listed);
    const gone = await call("engineer", "DELETE", path);
    expect({ status: gone.status, body: gone.body }).toEqual({ status: 204, body: null });
    expect((await call("engineer", "DELETE", path)).status).toBe(404);
    expect((await call("analyst", "GET", "/mvp/triggers?pipeline_id=pipeline_1")).body.total).toBe(0);
    expect((await call("engineer", "POST", "/mvp/triggers/create", trigger)).status).toBe(201);
  });

  test("0 2 * * * in a zone is two in the morning there; disabled and manual ones wait for nothing", async () => {
    const made = async (name: string, more: object) =>
      (await call("engineer", "POST", "/mvp/triggers/create", { ...trigger, name, pipeline_id: 1, ...more }))
        .body;
    const config = { ...trigger.config, timezone: "Asia/Yekaterinburg" };
    expect((await made("zone", { config })).next_run).toMatch(/T21:00:00\.000Z$/);
    expect(await made("off", { enabled: false })).toMatchObject({ status: "paused", next_run: null });
    expect(await made("by hand", { trigger_type: "manual", config: {} })).toMatchObject({
      trigger_type: "manual",
      status: "active",
      next_run: null,
    });
  });

  test("Ручной запуск триггера: the document's example, and without a body", async () => {
    const pipeline = await make({ config: { retries: 0 } });
    for (const [id, body] of [
      [pipeline, { parameters: { custom_param: "value" } }],
      [pipeline.slice("pipeline_".length), undefined],
    ] as const) {
      const answer = await call("analyst", "POST", `/mvp/triggers/manual/${id}`, body);
      expect({ status: answer.status, body: answer.body }).toEqual({
        status: 202,
        body: { run_id: idLike("run"), pipeline_id: pipeline, status: "triggered", started_at: time },
      });
      const { run_id } = answer.body;
      const run = await call("analyst", "GET", `/pipelines/${pipeline}/runs/${run_id}`);
      expect(run.body).toMatchObject({ cause: "trigger", parameters: body?.parameters ?? {} });
    }
  });

  test("triggers of a deleted pipeline are gone with it", async () => {
    const pipeline = await make();
    const { body } = await call("engineer", "POST", "/mvp/triggers/create", {
      ...trigger,
      pipeline_id: pipeline,
    });
    await call("engineer", "DELETE", `/pipelines/${pipeline}`);
    const { items } = (await call("analyst", "GET", "/mvp/triggers?limit=1000")).body;
    expect(items.map(({ trigger_id }: { trigger_id: string }) => trigger_id)).not.toContain(body.trigger_id);
  });

  const create = (more: object) =>
    as("engineer", "POST", "/mvp/triggers/create", { ...trigger, name: "bad", ...more });
  const post = (path: string, body?: unknown) => as("engineer", "POST", `/mvp/triggers${path}`, body);
  testExamples(url, [
    ...["0 0 2 * * *", "61 * * * *", "tomorrow", "", "* * * *"].map((cron_expression) => ({
      name: `cron "${cron_expression}"`,
      ...create({ config: { cron_expression } }),
      status: 422,
      answer: invalid("config.cron_expression"),
    })),
    {
      name: "cron without an expression",
      ...create({ config: {} }),
      status: 422,
      answer: invalid("config.cron_expression", "field required"),
    },
    {
      name: "cron without a configuration",
      ...create({ config: undefined }),
      status: 422,
      answer: invalid("config.cron_expression", "field required"),
    },
    {
      name: "a zone that is none",
      ...create({ config: { ...trigger.config, timezone: "Nowhere/City" } }),
      status: 422,
      answer: invalid("config.timezone"),
    },
    {
      name: "another type",
      ...create({ trigger_type: "moon" }),
      status: 422,
      answer: invalid("trigger_type"),
    },
    { name: "no name", ...create({ name: undefined }), status: 422, answer: invalid("name") },
    {
      name: "no pipeline",
      ...create({ pipeline_id: undefined }),
      status: 422,
      answer: invalid("pipeline_id", "field required"),
    },
    { name: "enabled as a text", ...create({ enabled: "yes" }), status: 422, answer: invalid("enabled") },
    { name: "no JSON", ...post("/create", "{"), status: 422, answer: invalid("") },
    {
      name: "an unknown pipeline",
      ...create({ pipeline_id: "pipeline_999" }),
      status: 404,
      answer: notFound("Pipeline"),
    },
    { name: "no pipeline's id", ...create({ pipeline_id: "x" }), status: 404, answer: notFound("Pipeline") },
    { name: "manual, unknown", ...post("/manual/pipeline_999"), status: 404, answer: notFound("Pipeline") },
    {
      name: "manual, bad parameters",
      ...post("/manual/1", { parameters: 1 }),
      status: 422,
      answer: invalid("parameters"),
    },
    { name: "pause none", ...post("/trigger_999/pause"), status: 404, answer: notFound("Trigger") },
    { name: "resume none", ...post("/x/resume"), status: 404, answer: notFound("Trigger") },
    {
      name: "delete none",
      ...as("engineer", "DELETE", "/mvp/triggers/999"),
      status: 404,
      answer: notFound("Trigger"),
    },
    { name: "list with a slash", ...as("analyst", "GET", "/mvp/triggers/"), status: 200 },
    { name: "a bad limit", ...as("analyst", "GET", "/mvp/triggers?limit=0"), status: 422 },
  ]);
});

describe("projects", () => {
  const shown = {
    id: idLike("project"),
    name: "Sales",
    description: "All of it",
    pipelines: 0,
    created_at: time,
    updated_at: time,
  };

  test("made, read, changed, deleted with its pipelines", async () => {
    const made = await call("architect", "POST", "/projects", { name: "Sales", description: "All of it" });
    expect({ status: made.status, body: made.body }).toEqual({ status: 201, body: shown });
    const { id } = made.body;
    const taken = await call("architect", "POST", "/projects", { name: "sales" });
    expect({ status: taken.status, body: taken.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });
    const pipeline = await make({ project_id: id, name: "Daily Sales ETL" });
    expect((await call("analyst", "GET", `/projects/${id}`)).body).toEqual({ ...shown, pipelines: 1 });
    const changed = await call("architect", "PUT", `/projects/${id.slice("project_".length)}`, {
      description: "Less",
    });
    expect(changed.body).toEqual({ ...shown, description: "Less", pipelines: 1 });
    const list = (await call("analyst", "GET", "/projects")).body;
    expect(list).toMatchObject({ limit: 100, offset: 0 });
    expect(list.items[0]).toMatchObject({ id: "project_1", name: "Default" });
    expect(list.items).toContainEqual(changed.body);
    expect(list.total).toBe(list.items.length);
    const gone = await call("architect", "DELETE", `/projects/${id}`);
    expect({ status: gone.status, body: gone.body }).toEqual({ status: 204, body: null });
    for (const path of [`/projects/${id}`, `/pipelines/${pipeline}`])
      expect((await call("analyst", "GET", path)).status).toBe(404);
    expect((await call("architect", "PUT", `/projects/${id}`, { name: "x" })).status).toBe(404);
    expect((await call("architect", "DELETE", `/projects/${id}`)).status).toBe(404);
    expect((await call("architect", "POST", "/projects", { name: "Sales" })).status).toBe(201);
  });

  testExamples(url, [
    { name: "with a slash", ...as("analyst", "GET", "/projects/"), status: 200 },
    {
      name: "the default one, by number",
      ...as("analyst", "GET", "/projects/1"),
      status: 200,
      answer: expect.objectContaining({ id: "project_1", name: "Default" }),
    },
    {
      name: "unknown",
      ...as("analyst", "GET", "/projects/project_999"),
      status: 404,
      answer: notFound("Project"),
    },
    {
      name: "another kind's id",
      ...as("analyst", "GET", "/projects/pipeline_1"),
      status: 404,
      answer: notFound("Project"),
    },
    {
      name: "no name",
      ...as("architect", "POST", "/projects", {}),
      status: 422,
      answer: invalid("name", "field required"),
    },
    {
      name: "a NUL",
      ...as("architect", "POST", "/projects", { name: "\0" }),
      status: 422,
      answer: invalid("name"),
    },
    { name: "the default one stays", ...as("architect", "DELETE", "/projects/1"), status: 409 },
    { name: "unknown, deleted", ...as("architect", "DELETE", "/projects/999"), status: 404 },
  ]);
});

describe("paths and methods", () => {
  const wrong = (method: string, path: string, allow: RegExp): Example => ({
    name: "wrong method",
    ...as("analyst", method, path),
    status: 405,
    answer: failure("METHOD_NOT_ALLOWED", "Method Not Allowed"),
    answerHeaders: { allow },
  });
  testExamples(url, [
    wrong("DELETE", "/pipelines", /^GET, POST$/),
    wrong("POST", "/pipelines/1", /^GET, PUT, DELETE$/),
    wrong("PATCH", "/pipelines/1/", /^GET, PUT, DELETE$/),
    wrong("GET", "/pipelines/1/run", /^POST$/),
    wrong("GET", "/pipelines/1/deploy", /^POST$/),
    wrong("POST", "/pipelines/1/runs", /^GET$/),
    wrong("GET", "/pipelines/1/runs/1/cancel", /^POST$/),
    wrong("GET", "/mvp/triggers/create", /^POST$/),
    wrong("GET", "/mvp/triggers/manual/1", /^POST$/),
    wrong("POST", "/projects/1", /^GET, PUT, DELETE$/),
    ...["/pipelines/1/else", "/pipelines/1/runs/1/else", "/mvp/else", "/mvp", "/projects/1/else"].map(
      (path): Example => ({
        name: "unknown path",
        ...as("analyst", "GET", path),
        status: 404,
        answer: failure("RESOURCE_NOT_FOUND", "Not Found"),
      }),
    ),
    {
      name: "a neighbour of the service's",
      ...as("analyst", "GET", "/pipelinesx"),
      status: 404,
      answer: { detail: "Not Found" },
    },
  ]);
});

describe("Rate Limiting", () => {
  test("100 a minute by account, then 429 with its headers; another account goes on", async () => {
    const limited = await startTestServer({ RATE_LIMITS: "on" });
    try {
      const first = await register(limited.url, "first");
      const second = await register(limited.url, "second");
      const get = (path: string, token: string) => ask(limited.url, "GET", `/api/v1${path}`, { token });
      const paths = ["/pipelines", "/connectors", "/mvp/triggers", "/projects", "/pipelines/999"];
      for (let count = 1; count <= 100; count++) {
        const path = paths[count % paths.length]!;
        const { status, headers: told } = await get(path, first);
        expect(status).toBe(path === "/pipelines/999" ? 404 : 200);
        expect(told.get("x-ratelimit-limit")).toBe("100");
        expect(told.get("x-ratelimit-remaining")).toBe(String(100 - count));
        expect(told.get("x-ratelimit-reset")).toMatch(/^\d{10}$/);
      }
      for (const path of paths) {
        const { status, body, headers: told } = await get(path, first);
        expect({ status, body }).toEqual({
          status: 429,
          body: failure("RATE_LIMIT_EXCEEDED", "Too many requests"),
        });
        expect(told.get("x-ratelimit-limit")).toBe("100");
        expect(told.get("x-ratelimit-remaining")).toBe("0");
        expect(Number(told.get("x-ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000 - 1);
        expect(Number(told.get("retry-after"))).toBeWithin(1, 61);
        expect(body.error.request_id).toBe(told.get("x-request-id"));
      }
      expect((await get("/pipelines", second)).status).toBe(200);
    } finally {
      await limited.stop();
    }
  });
});

interface Frame {
  type: string;
  pipeline_id: string;
  run_id: string | null;
  status: string;
  phase: string | null;
  rows_processed: number;
  timestamp: string;
}

/** The document's client, and what it received. */
function follow(pipeline: string): { socket: WebSocket; frames: Frame[] } {
  const address = `${server.url.replace("http", "ws")}/ws/pipeline/${pipeline}?token=${tokens.analyst}`;
  const socket = new WebSocket(address);
  const frames: Frame[] = [];
  socket.onmessage = ({ data }) => frames.push(JSON.parse(String(data)) as Frame);
  return { socket, frames };
}

describe("WebSocket (Real-time updates)", () => {
  test("status and rows_processed in each frame, from now to the end", async () => {
    const pipeline = await make({ config: { retries: 0 } });
    const { socket, frames } = follow(pipeline);
    await until(() => frames.length > 0);
    expect(frames[0]).toEqual({
      type: "pipeline_status",
      pipeline_id: pipeline,
      run_id: null,
      status: "idle",
      phase: null,
      rows_processed: 0,
      timestamp: time,
    } as never);
    const { run_id } = (await call("analyst", "POST", `/pipelines/${pipeline}/run`)).body;
    await until(() => frames.at(-1)?.status === "failed");
    socket.close();
    for (const frame of frames)
      expect(frame).toMatchObject({
        type: "pipeline_status",
        pipeline_id: pipeline,
        status: expect.stringMatching(/^(idle|pending|running|success|failed|cancelled)$/),
        rows_processed: expect.any(Number),
        timestamp: time,
      });
    expect(frames.at(-1)).toMatchObject({ run_id, error: expect.any(String) });
    expect(JSON.stringify(frames)).not.toContain("SecurePass123!");
    expect(JSON.stringify(frames)).not.toContain("etl_user");
  });

  test("a bad token closes with 4001, an unknown pipeline with 4404; a number and a header will do", async () => {
    const base = server.url.replace("http", "ws");
    const closed = (path: string) =>
      new Promise<number>((resolve) => {
        new WebSocket(`${base}/ws/pipeline/${path}`).onclose = ({ code }) => resolve(code);
      });
    for (const path of ["pipeline_1", "pipeline_1?token=", "1?token=x", `1?token=${tokens.expired}`])
      expect(await closed(path)).toBe(4001);
    for (const id of ["pipeline_999", "x", "run_1"])
      expect(await closed(`${id}?token=${tokens.analyst}`)).toBe(4404);
    const socket = new WebSocket(`${base}/ws/pipeline/1`, { headers: headers.analyst } as never);
    const frame = await new Promise<Frame>((resolve) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)) as Frame);
    });
    socket.close();
    expect(frame).toMatchObject({ pipeline_id: "pipeline_1", status: "idle", rows_processed: 0 });
  });

  test("a socket ends when its pipeline's reader logs out", async () => {
    const token = await register(server.url, "leaver");
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/pipeline/1?token=${token}`);
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
    });
    await new Promise((resolve) => {
      socket.onmessage = resolve;
    });
    await ask(server.url, "POST", "/api/v1/auth/logout", { token });
    expect(await closed).toBe(4001);
  });

  test("without an upgrade", async () => {
    const { status, body } = await ask(server.url, "GET", "/ws/pipeline/1");
    expect({ status, body }).toEqual({ status: 426, body: failure("UPGRADE_REQUIRED", "Upgrade Required") });
  });
});

(hasPostgres ? describe : describe.skip)("История запусков", () => {
  let database: TestPostgres;
  let sql: SQL;

  beforeAll(async () => {
    database = await startPostgres();
    sql = new SQL({ url: database.url, max: 1 });
    await sql`create table transactions (id int primary key, amount numeric(10,2) not null, date date not null)`;
    await sql`insert into transactions select n, n - 10, date '2025-10-01' + n % 2 from generate_series(1, 1010) n`;
  });

  afterAll(async () => {
    await sql.close();
    await database.stop();
  });

  test("a run of the document's kind, its history, its page and its frames", async () => {
    const { hostname, port, username, password } = new URL(database.url);
    const config = {
      host: hostname,
      port: Number(port),
      database: "postgres",
      ssl_mode: "disable",
      username,
      password: decodeURIComponent(password),
    };
    const pipeline = await make({
      sources: [{ type: "postgresql", config: { ...config, table: "transactions" } }],
      transformations: [
        { type: "sql", code: "select * from input where amount > 0 and date >= {{ start_date }}" },
      ],
      targets: [{ type: "postgresql", config: { ...config, table: "daily_sales" } }],
    });
    const { socket, frames } = follow(pipeline);
    const runs: string[] = [];
    for (let at = 0; at < 2; at++) {
      const { run_id } = (
        await call("analyst", "POST", `/pipelines/${pipeline}/run`, {
          parameters: { start_date: "2025-10-01", end_date: "2025-10-02" },
        })
      ).body;
      runs.unshift(run_id);
      await until(async () => {
        const { body } = await call("analyst", "GET", `/pipelines/${pipeline}/runs/${run_id}`);
        if (body.status === "failed") throw new Error(JSON.stringify(body.error));
        return body.status === "success";
      });
    }
    const { status, body } = await call("analyst", "GET", `/pipelines/${pipeline}/runs?status=success`);
    expect({ status, body }).toMatchObject({ status: 200, body: { total: 2, limit: 20, offset: 0 } });
    for (const [index, item] of body.items.entries())
      expect(item).toMatchObject({
        id: runs[index],
        pipeline_id: pipeline,
        status: "success",
        started_at: time,
        finished_at: time,
        duration_seconds: expect.any(Number),
        rows_processed: 1000,
        metrics: {
          extraction_time_ms: expect.any(Number),
          transformation_time_ms: expect.any(Number),
          loading_time_ms: expect.any(Number),
        },
      });
    const page = (await call("analyst", "GET", `/pipelines/${pipeline}/runs?limit=1&offset=1`)).body;
    expect(page).toEqual({ items: [body.items[1]], total: 2, limit: 1, offset: 1 });
    const none = (await call("analyst", "GET", `/pipelines/${pipeline}/runs?status=failed`)).body;
    expect(none).toEqual({ items: [], total: 0, limit: 20, offset: 0 });
    const list = (await call("analyst", "GET", "/pipelines?limit=1000")).body;
    expect(list.items.find(({ id }: { id: string }) => id === pipeline).last_run).toEqual({
      id: runs[0],
      status: "success",
      started_at: time,
      finished_at: time,
      rows_processed: 1000,
    });
    await until(() => frames.at(-1)?.run_id === runs[0] && frames.at(-1)?.status === "success");
    socket.close();
    expect(frames.at(-1)?.rows_processed).toBe(1000);
    expect(Number((await sql`select count(*) as count from daily_sales`)[0].count)).toBe(2000);
  });
});
