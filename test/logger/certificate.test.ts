/** The end of a certificate is told 14, 7 and 1 days before it, each once for a certificate. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { OpenedDatabase } from "../../src/platform/database/open.ts";
import { NotifyTransport } from "../../src/platform/realtime/notify-transport.ts";
import { Topics } from "../../src/platform/realtime/topics.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { IngestQueue } from "../../src/services/logger/ingest/queue.ts";
import type { ProbeResult } from "../../src/services/logger/ping/probe.ts";
import { PingResults } from "../../src/services/logger/ping/results.ts";
import { Projects } from "../../src/services/logger/projects.ts";
import { pingServices } from "../../src/services/logger/tables.ts";
import { needs } from "../needs.ts";
import { ask } from "../support/accounts.ts";
import { botToken, startBotApi } from "../support/bot-api.ts";
import { openCopy, openEmbedded } from "../support/database.ts";
import { selfSigned, serveHttps, trust } from "../support/https.ts";
import { administrator, findLogs, makeProject, until } from "../support/logger.ts";
import { startTestServer } from "../support/server.ts";

const day = 86_400_000;
const telegramNotify = { enabled: true, recipients: [{ chatId: "600", tags: [] }], antiSpamInterval: 15 };

needs("openssl")(
  "ten days before the end the mark of 14 days is told once, and that of 7 is not",
  async () => {
    const certificate = selfSigned(10, "IP:127.0.0.1");
    const distrust = trust(certificate);
    const target = await serveHttps(certificate, (response) => response.end());
    const api = startBotApi();
    const server = await startTestServer({ BOT_API_KEY: botToken, TELEGRAM_API_ROOT: api.root });
    const token = await administrator(server.url);
    const uuid = await makeProject(server.url, token, { telegramNotify });
    const path = `/api/projects/${uuid}/ping-services`;
    const body = { name: "Касса", url: `https://127.0.0.1:${target.port}/`, interval: 3600 };
    const shown = { lastStatus: "ok", certificateExpiresAt: certificate.expires.toISOString() };
    expect((await ask(server.url, "POST", path, { token, body })).body).toMatchObject(shown);
    for (let n = 0; n < 3; n++)
      expect((await ask(server.url, "POST", `${path}/check`, { token })).body).toMatchObject([shown]);

    const database = openEmbedded(server.dataDirectory);
    await until(async () => (await database`select 1 from logger.outbox`).length === 0);
    await database.close();
    expect(api.messages).toHaveLength(1);
    expect(api.messages[0]!.text).toStartWith("🔐 Касса: сертификат истекает\nосталось дней: 10\n");
    const logs = await until(async () => {
      const found = await findLogs(server.url, token, uuid);
      return found.length > 0 ? found : null;
    });
    expect(logs).toMatchObject([
      { level: "WARNING", tags: ["PING_CERTIFICATE"], metadata: { service: "ping" } },
    ]);
    await server.stop();
    await api.stop();
    target.stop();
    distrust();
  },
);

describe("over the life of a certificate", () => {
  const log = createLog("silent");
  const expires = Date.now();
  let database: OpenedDatabase;
  let projects: Projects;
  let results: PingResults;
  /** Now, in milliseconds: the certificate's last month, so that its logs have partitions. */
  let clock: number;

  beforeAll(async () => {
    database = await openCopy();
    const { sql, orm } = database;
    projects = new Projects(orm, sql, new Topics(new NotifyTransport(sql), log));
    await projects.start(() => {});
    const queue = new IngestQueue({
      sql,
      log,
      makePartitions: async () => {},
      onAlerts: async () => {},
      onStored: () => {},
    });
    results = new PingResults({ sql, log, projects, queue, now: () => clock, onAlerts: () => {} });
  });

  afterAll(() => database.close());

  const seen: ProbeResult = {
    status: "ok",
    responseTimeMs: 1,
    httpStatus: 200,
    error: null,
    isNetworkError: false,
    certificateExpiresAt: new Date(expires),
  };
  const unreachable: ProbeResult = {
    ...seen,
    status: "down",
    httpStatus: null,
    error: "Соединение отклонено (ECONNREFUSED)",
    isNetworkError: true,
    certificateExpiresAt: null,
  };

  /** Checks a new service once for each result, from `days` days before the end on; answers the days left that were told. */
  async function daysTold(days: number, found: ProbeResult[]): Promise<string[]> {
    const { id: projectId } = await projects.create({ name: "Project", telegramNotify });
    const fields = { name: "Касса", url: "https://192.0.2.1/", interval: 3600, telegramTags: [] };
    const [service] = await database.orm
      .insert(pingServices)
      .values({ ...fields, projectId, nextCheckAt: new Date() })
      .returning();
    for (const [index, result] of found.entries()) {
      clock = expires - (days - index) * day;
      await results.add(service!.id, result);
      await results.drained();
    }
    const rows = await database.sql`select notice->>'text' as text from logger.outbox
      where project_id = ${projectId} and notice->>'kind' = 'certificate' order by id`;
    return rows.map(({ text }) => String(text).replace(/\D+/, ""));
  }

  test("checked every day of its last three weeks", async () => {
    expect(await daysTold(21, Array(24).fill(seen))).toEqual(["14", "7", "1"]);
  });

  test("watched from its last week on: the marks before are not made up for", async () => {
    expect(await daysTold(6, [seen, seen, seen])).toEqual(["6"]);
  });

  test("a new certificate has marks of its own", async () => {
    const renewed = (days: number) => ({ ...seen, certificateExpiresAt: new Date(expires + days * day) });
    expect(await daysTold(8, [seen, renewed(90), renewed(90), renewed(5), renewed(5)])).toEqual(["8", "10"]);
  });

  test("a service that cannot be reached for a while still has the same certificate", async () => {
    expect(await daysTold(12, [seen, unreachable, seen, unreachable, seen])).toEqual(["12"]);
  });
});
