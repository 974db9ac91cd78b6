/** `/health/detailed`: whether the ClickHouses that connectors name answer. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ask, register } from "../support/accounts.ts";
import { hasClickHouse, startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await register(server.url, "admin");
});
afterAll(() => server.stop());

const health = async (url: string) => {
  const { status, body } = await ask(url, "GET", "/health/detailed");
  return { status, ...body };
};

async function connect(url: string, token: string, port: number, credentials: object): Promise<void> {
  const body = { name: `${port}`, type: "clickhouse", config: { host: "127.0.0.1", port }, credentials };
  expect(await ask(url, "POST", "/api/v1/connectors", { token, body })).toMatchObject({ status: 201 });
}

test("one that does not answer is unhealthy, and the server is well all the same", async () => {
  await connect(server.url, token, 1, { username: "u", password: "s3cret" });
  const answer = await health(server.url);
  expect(answer).toMatchObject({ status: "healthy", components: { clickhouse: { status: "unhealthy" } } });
  expect(JSON.stringify(answer)).not.toContain("s3cret");
});

(hasClickHouse ? test : test.skip)("one that answers has a latency; asking often asks it once", async () => {
  const house: TestClickHouse = await startClickHouse();
  const other = await startTestServer();
  const admin = await register(other.url, "admin");
  expect((await health(other.url)).components.clickhouse).toEqual({ status: "not_configured" });
  await other.quintet.stop();

  const again = await startTestServer({ DATA_DIR: other.dataDirectory });
  await connect(again.url, admin, house.port, { username: house.username, password: house.password });
  const { clickhouse } = (await health(again.url)).components;
  expect(clickhouse).toEqual({ status: "healthy", latency_ms: expect.any(Number) });
  await house.stop();
  expect((await health(again.url)).components.clickhouse).toEqual(clickhouse);
  await again.stop();
});
