/** Connectors of `specs/pipelines.md`: every request and answer; connected to a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { type Answer, ask, register } from "../../support/accounts.ts";
import { type Example, testExamples } from "../../support/contract.ts";
import { freePort, hasPostgres, startPostgres, type TestPostgres } from "../../support/postgres.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let engineer: string;
let analyst: string;
const url = () => server.url;

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const connectorId = expect.stringMatching(/^connector_[1-9]\d*$/);
const failure = (code: string, message: unknown = expect.any(String), details: unknown = {}) => ({
  error: { code, message, details, request_id: expect.any(String) },
});
const invalid = (field: string, reason: unknown = expect.any(String)) =>
  failure("VALIDATION_ERROR", "Invalid request parameters", expect.objectContaining({ field, reason }));
const notFound = failure("RESOURCE_NOT_FOUND", "Connector not found");

const call = (method: string, path: string, body?: unknown, token = engineer): Promise<Answer> =>
  ask(server.url, method, `/api/v1/connectors${path}`, { token, ...(body === undefined ? {} : { body }) });
const authorized = {
  get Authorization() {
    return `Bearer ${engineer}`;
  },
};
const example = (method: string, path: string, body?: unknown) => ({
  method,
  path: `/api/v1/connectors${path}`,
  headers: authorized,
  ...(body === undefined ? {} : { body }),
});

/** The document's "Создание коннектора". */
const production = {
  name: "Production PostgreSQL",
  type: "postgresql",
  config: { host: "postgres.example.com", port: 5432, database: "sales_db", ssl_mode: "require" },
  credentials: { username: "etl_user", password: "SecurePass123!" },
};
const made = {
  id: connectorId,
  name: "Production PostgreSQL",
  type: "postgresql",
  status: "active",
  created_at: time,
};

async function make(more: object = {}): Promise<string> {
  const { status, body } = await call("POST", "", { ...production, ...more });
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id;
}

beforeAll(async () => {
  server = await startTestServer();
  const admin = await register(server.url, "admin");
  engineer = await register(server.url, "engineer");
  analyst = await register(server.url, "analyst");
  const given = await ask(server.url, "PUT", "/api/v1/users/2", { token: admin, body: { role: "engineer" } });
  expect(given.status).toBe(200);
  expect(await make({ name: "The first" })).toBe("connector_1");
});

afterAll(async () => {
  await server.stop();
});

describe("Создание коннектора", () => {
  test("the document's example; its name is taken until it is deleted", async () => {
    const { status, body } = await call("POST", "", production);
    expect({ status, body }).toEqual({ status: 201, body: made });
    const again = await call("POST", "/", { ...production, name: "PRODUCTION PostgreSQL" });
    expect({ status: again.status, body: again.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });
    const gone = await call("DELETE", `/${body.id}`);
    expect({ status: gone.status, body: gone.body }).toEqual({ status: 204, body: null });
    const free = await call("POST", "", production);
    expect(free.status).toBe(201);
    await call("DELETE", `/${free.body.id}`);
  });

  const bad = (name: string, body: unknown, field: string, reason?: unknown): Example => ({
    name,
    ...example("POST", "", body),
    status: 422,
    answer: invalid(field, reason),
  });
  testExamples(url, [
    bad("nothing", {}, "name", "field required"),
    bad("no type", { name: "x" }, "type", "field required"),
    bad("an unknown type", { ...production, type: "abacus" }, "type"),
    bad("a type of JavaScript's", { ...production, type: "toString" }, "type"),
    bad("an empty name", { ...production, name: "" }, "name"),
    bad("a NUL in the name", { ...production, name: "a\0" }, "name"),
    bad("a configuration that is none", { ...production, config: [] }, "config", "value is not a valid dict"),
    bad(
      "credentials that are none",
      { ...production, credentials: "root" },
      "credentials",
      "value is not a valid dict",
    ),
    bad("no JSON", "{", ""),
    bad("a list", [], ""),
    {
      name: "a NUL in the configuration",
      ...example("POST", "", { ...production, config: { host: "a\0" } }),
      status: 422,
      answer: failure("VALIDATION_ERROR", expect.any(String), expect.any(Object)),
    },
  ]);
});

describe("one connector", () => {
  const whole = {
    ...made,
    name: "The first",
    id: "connector_1",
    last_tested: null,
    test_status: null,
    config: production.config,
  };
  testExamples(url, [
    { name: "by id", ...example("GET", "/connector_1"), status: 200, answer: whole },
    { name: "by number", ...example("GET", "/1"), status: 200, answer: whole },
    { name: "with a slash", ...example("GET", "/1/"), status: 200, answer: whole },
    ...["connector_999", "999", "x", "pipeline_1", "connector_99999999999999999999", "0"].flatMap((id) =>
      (
        [
          ["GET", ""],
          ["PUT", "", { name: "x" }],
          ["DELETE", ""],
          ["POST", "/test"],
          ["GET", "/schema/transactions"],
        ] as const
      ).map(([method, path, body]) => ({
        name: "unknown",
        ...example(method, `/${id}${path}`, body),
        status: 404,
        answer: notFound,
      })),
    ),
    {
      name: "wrong method",
      ...example("PATCH", "/1"),
      status: 405,
      answer: failure("METHOD_NOT_ALLOWED", "Method Not Allowed"),
      answerHeaders: { allow: "GET, PUT, DELETE" },
    },
    {
      name: "wrong method",
      ...example("GET", "/1/test"),
      status: 405,
      answerHeaders: { allow: /^POST$/ },
    },
    {
      name: "wrong method",
      ...example("POST", "/1/schema/x"),
      status: 405,
      answerHeaders: { allow: /^GET$/ },
    },
    {
      name: "unknown path",
      ...example("GET", "/1/else"),
      status: 404,
      answer: failure("RESOURCE_NOT_FOUND", "Not Found"),
    },
    {
      name: "schema of no table",
      ...example("GET", "/1/schema"),
      status: 404,
      answer: failure("RESOURCE_NOT_FOUND", "Not Found"),
    },
    { name: "a bad change", ...example("PUT", "/1", { name: 7 }), status: 422, answer: invalid("name") },
    { name: "no JSON", ...example("PUT", "/1", "{"), status: 422, answer: invalid("") },
  ]);

  test("changed, and deleted: gone from the list too", async () => {
    const id = await make({ name: "changing" });
    const taken = await call("PUT", `/${id}`, { name: "the FIRST" });
    expect({ status: taken.status, body: taken.body }).toEqual({
      status: 409,
      body: failure("DUPLICATE_RESOURCE", expect.any(String), { field: "name" }),
    });
    const config = { host: "other.example.com", database: "sales_db" };
    const elsewhere = await call("PUT", `/${id}`, { name: "changed", config });
    expect(elsewhere).toMatchObject({ status: 422, body: invalid("credentials") });
    const { credentials } = production;
    const changed = await call("PUT", `/${id}`, { name: "changed", config, credentials });
    expect({ status: changed.status, body: changed.body }).toMatchObject({
      status: 200,
      body: { id, name: "changed", type: "postgresql" },
    });
    expect((await call("GET", `/${id}`)).body).toMatchObject({ name: "changed", config });
    expect((await call("DELETE", `/${id}`)).status).toBe(204);
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/test"],
      ["GET", "/schema/x"],
    ] as const)
      expect((await call(method, `/${id}${path}`)).status).toBe(404);
    const { items } = (await call("GET", "")).body;
    expect(items.map((item: { id: string }) => item.id)).not.toContain(id);
  });
});

describe("Список коннекторов", () => {
  test("as the document shows it, to an analyst too, and in pages", async () => {
    const id = await make({ name: "listed" });
    const { status, body } = await call("GET", "", undefined, analyst);
    expect({ status, body }).toMatchObject({ status: 200, body: { total: 2 } });
    expect(body.items).toEqual(
      ["The first", "listed"].map((name) => ({ ...made, name, last_tested: null, test_status: null })),
    );
    const page = (await call("GET", "/?limit=1&offset=1")).body;
    expect(page).toMatchObject({ items: [{ id }], total: 2 });
    for (const query of ["limit=0", "limit=x", "offset=-1"])
      expect((await call("GET", `?${query}`)).status).toBe(422);
    await call("DELETE", `/${id}`);
  });
});

test("secrets are in no answer, wherever they were put", async () => {
  const secrets = ["SecurePass123!", "InTheConfig1!", "Nested1!", "InAnAddress1!"];
  const config = {
    host: "postgres.example.com",
    password: "InTheConfig1!",
    options: { password: "Nested1!" },
    url: "postgresql://etl_user:InAnAddress1!@postgres.example.com/sales_db",
  };
  const answers = [await call("POST", "", { ...production, name: "secret", config })];
  const path = `/${answers[0]!.body.id}`;
  answers.push(await call("GET", path), await call("GET", ""));
  answers.push(await call("PUT", path, { config, credentials: production.credentials }));
  answers.push(await call("POST", "", { ...production, name: "secret", config }));
  answers.push(await call("PUT", path, { name: "SecurePass", credentials: "SecurePass123!" }));
  const text = JSON.stringify(answers.map(({ body }) => body));
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  await call("DELETE", path);
});

describe("Тест подключения: nobody there", () => {
  const nowhere = async () => ({ host: "127.0.0.1", port: await freePort(), database: "sales_db" });

  test("a host that cannot be reached: the test says so, the schema is 503", async () => {
    const id = await make({ name: "nowhere", config: await nowhere() });
    const { status, body } = await call("POST", `/${id}/test`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        connector_id: id,
        test_status: "failed",
        latency_ms: null,
        tested_at: time,
        details: {
          connection_established: false,
          authentication_successful: false,
          query_execution_successful: false,
          error: expect.any(String),
        },
      },
    });
    const schema = await call("GET", `/${id}/schema/transactions`, undefined, analyst);
    expect({ status: schema.status, body: schema.body }).toEqual({
      status: 503,
      body: failure("CONNECTOR_ERROR"),
    });
    const text = JSON.stringify([body, schema.body]);
    expect(text).not.toContain("etl_user");
    expect(text).not.toContain("SecurePass123!");
    const listed = (await call("GET", "")).body.items.find((item: { id: string }) => item.id === id);
    expect(listed).toMatchObject({ status: "error", test_status: "failed", last_tested: body.tested_at });
  });

  test("a name that nobody has, and a configuration that lacks everything", async () => {
    for (const [name, config] of [
      ["no name", { host: "no-such-host.invalid", database: "sales_db" }],
      ["no configuration", {}],
    ] as const) {
      const id = await make({ name, config });
      const { status, body } = await call("POST", `/${id}/test`);
      expect({ status, body }).toMatchObject({
        status: 200,
        body: {
          test_status: "failed",
          details: {
            connection_established: false,
            authentication_successful: false,
            query_execution_successful: false,
          },
        },
      });
      const schema = await call("GET", `/${id}/schema/transactions`);
      expect({ status: schema.status, body: schema.body }).toEqual({
        status: 503,
        body: failure("CONNECTOR_ERROR"),
      });
      expect(JSON.stringify([body, schema.body])).not.toMatch(/etl_user|SecurePass123!/);
    }
  });
});

(hasPostgres ? describe : describe.skip)("a real PostgreSQL", () => {
  let database: TestPostgres;
  let id: string;
  let config: Record<string, unknown>;
  let credentials: { username: string; password: string };

  beforeAll(async () => {
    database = await startPostgres();
    const { hostname, port, username, password, pathname } = new URL(database.url);
    config = { host: hostname, port: Number(port), database: pathname.slice(1), ssl_mode: "disable" };
    credentials = { username, password: decodeURIComponent(password) };
    const sql = new SQL({ url: database.url, max: 1 });
    await sql`create table transactions (id int primary key, amount numeric(10,2) not null, date date not null)`;
    await sql`create index idx_transactions_date on transactions (date)`;
    await sql`insert into transactions select n, n, date '2025-10-01' from generate_series(1, 1500) n`;
    await sql`create schema archive`;
    await sql`create table archive.transactions (year int, part int, note text, primary key (year, part))`;
    await sql`create table "Учёт 1" (имя text)`;
    await sql`create role outsider login password 'letters'`;
    await sql.close();
    id = await make({ name: "real", config, credentials });
  });

  afterAll(async () => {
    await database.stop();
  });

  test("Тест подключения: the document's example", async () => {
    const { status, body } = await call("POST", `/${id}/test`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        connector_id: id,
        test_status: "success",
        latency_ms: expect.any(Number),
        tested_at: time,
        details: {
          connection_established: true,
          authentication_successful: true,
          query_execution_successful: true,
        },
      },
    });
    const listed = (await call("GET", "")).body.items.find((item: { id: string }) => item.id === id);
    expect(listed).toEqual({
      ...made,
      id,
      name: "real",
      last_tested: body.tested_at,
      test_status: "success",
    });
  });

  const transactions = {
    columns: [
      { name: "id", type: "integer", nullable: false, primary_key: true },
      { name: "amount", type: "numeric(10,2)", nullable: false },
      { name: "date", type: "date", nullable: false },
    ],
    row_count: 1500,
    indexes: [{ name: "idx_transactions_date", columns: ["date"] }],
  };

  test("Получение схемы таблицы: the document's example, to an analyst too", async () => {
    for (const token of [engineer, analyst]) {
      const { status, body } = await call("GET", `/${id}/schema/transactions`, undefined, token);
      expect({ status, body }).toEqual({
        status: 200,
        body: { table_name: "transactions", ...transactions },
      });
    }
  });

  test("by number, with a slash, with its schema, in another schema, with a name that is written otherwise", async () => {
    const number = id.slice("connector_".length);
    const columns = { columns: transactions.columns, row_count: 1500 };
    expect((await call("GET", `/${number}/schema/transactions/`)).body).toMatchObject(columns);
    const named = await call("GET", `/${id}/schema/public.transactions`);
    expect(named.body).toMatchObject({ table_name: "public.transactions", ...columns });
    const archive = await call("GET", `/${id}/schema/archive.transactions`);
    expect({ status: archive.status, body: archive.body }).toMatchObject({
      status: 200,
      body: {
        table_name: "archive.transactions",
        columns: [
          { name: "year", type: "integer", nullable: false, primary_key: true },
          { name: "part", type: "integer", nullable: false, primary_key: true },
          { name: "note", type: "text", nullable: true },
        ],
        row_count: 0,
      },
    });
    const cyrillic = await call("GET", `/${id}/schema/${encodeURIComponent("Учёт 1")}`);
    expect({ status: cyrillic.status, body: cyrillic.body }).toMatchObject({
      status: 200,
      body: { table_name: "Учёт 1", columns: [{ name: "имя", type: "text", nullable: true }], row_count: 0 },
    });
  });

  test("a table that is not there", async () => {
    for (const table of [
      "nothing",
      "archive.nothing",
      "nowhere.transactions",
      "transactions;drop table transactions",
      `"`,
      "'",
      "%",
    ]) {
      const { status, body } = await call("GET", `/${id}/schema/${encodeURIComponent(table)}`);
      expect({ table, status, body }).toEqual({ table, status: 404, body: failure("RESOURCE_NOT_FOUND") });
    }
  });

  test("a name that no table can have is the client's fault", async () => {
    for (const table of ["a\0b", "a.b.c.d", "x".repeat(5000)]) {
      const { status, body } = await call("GET", `/${id}/schema/${encodeURIComponent(table)}`);
      const isFault = [400, 404, 422].includes(status);
      expect({ table, status, body, isFault }).toMatchObject({ table, isFault: true });
    }
  });

  test("a wrong password, an unknown user and an unknown database: how far it got, and nothing secret", async () => {
    const known = { connection_established: true, query_execution_successful: false };
    for (const [name, more, details] of [
      [
        "wrong password",
        { credentials: { ...credentials, password: "WrongPass123!" } },
        { ...known, authentication_successful: false },
      ],
      [
        "unknown user",
        { credentials: { username: "etl_user", password: "WrongPass123!" } },
        { ...known, authentication_successful: false },
      ],
      ["unknown database", { config: { ...config, database: "nothing" } }, known],
    ] as const) {
      const other = await make({ name, config, credentials, ...more });
      const { status, body } = await call("POST", `/${other}/test`);
      expect({ name, status, body }).toMatchObject({
        name,
        status: 200,
        body: { test_status: "failed", details },
      });
      const schema = await call("GET", `/${other}/schema/transactions`);
      expect({ name, status: schema.status, body: schema.body }).toEqual({
        name,
        status: 503,
        body: failure("CONNECTOR_ERROR"),
      });
      expect(JSON.stringify([body, schema.body])).not.toMatch(/WrongPass|etl_user|owner|letters and/);
    }
  });

  test("a table that the user may not read tells its structure or a connector's error, never 500", async () => {
    const other = await make({
      name: "outsider",
      config,
      credentials: { username: "outsider", password: "letters" },
    });
    const { status, body } = await call("GET", `/${other}/schema/transactions`);
    expect([200, 404, 503]).toContain(status);
    expect(JSON.stringify(body)).not.toContain("outsider");
  });

  test("credentials that are not given stay: the name when only the password is, both when the address is the same", async () => {
    const other = await make({
      name: "kept",
      config: { ...config, database: "nowhere" },
      credentials: { ...credentials, password: "old" },
    });
    await call("PUT", `/${other}`, { config });
    expect((await call("POST", `/${other}/test`)).body.details).toMatchObject({
      connection_established: true,
      authentication_successful: false,
    });
    await call("PUT", `/${other}`, { credentials: { password: credentials.password } });
    expect((await call("POST", `/${other}/test`)).body).toMatchObject({ test_status: "success" });
    expect((await call("GET", `/${other}`)).body).toMatchObject({ status: "active", config });
  });
});
