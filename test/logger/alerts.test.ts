/** Somebody is told: by Telegram, e-mail and web hook, of logs and of services that go and come back. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { ask } from "../support/accounts.ts";
import { type BotApi, botToken, startBotApi } from "../support/bot-api.ts";
import { openEmbedded } from "../support/database.ts";
import { administrator, findLogs, makeProject, sendLog, until } from "../support/logger.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let api: BotApi;
let token: string;
const mails: string[] = [];
const hooks: { headers: Headers; body: string }[] = [];
let mailbox: SMTPServer;
let hook: Bun.Server<undefined>;
let hookStatus = 200;

beforeAll(async () => {
  api = startBotApi();
  mailbox = new SMTPServer({
    authOptional: true,
    onData(stream, _session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        mails.push(Buffer.concat(chunks).toString());
        callback();
      });
    },
  });
  await new Promise<void>((resolve) => mailbox.listen(0, "127.0.0.1", resolve));
  hook = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      hooks.push({ headers: request.headers, body: await request.text() });
      return new Response(null, { status: hookStatus });
    },
  });
  server = await startTestServer({
    BOT_API_KEY: botToken,
    TELEGRAM_API_ROOT: api.root,
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String((mailbox.server.address() as AddressInfo).port),
    SMTP_FROM: "quintet@example.com",
    SMTP_VERIFY: "off",
  });
  token = await administrator(server.url);
});

afterAll(async () => {
  await server.stop();
  await api.stop();
  await hook.stop(true);
  await new Promise<void>((resolve) => mailbox.close(resolve));
});

const telegram = (chatId: string, tags: string[] = [], antiSpamInterval = 15) => ({
  telegramNotify: { enabled: true, recipients: [{ chatId, tags }], antiSpamInterval },
});
const to = (chatId: string) => api.messages.filter((message) => message.chatId === chatId);

describe("Telegram", () => {
  test("tells recipients of the levels and tags that they asked for, once per interval, and how many were kept back", async () => {
    const uuid = await makeProject(server.url, token, {
      name: "Касса",
      ...telegram("100", ["ERROR", "PAYMENT"]),
    });
    await sendLog(server.url, uuid, { level: "INFO", message: "неважно" });
    await sendLog(server.url, uuid, { level: "ERROR", message: "<b>Сбой</b> & беда" });
    await until(() => to("100").length === 1);
    expect(to("100")[0]).toMatchObject({ parseMode: "HTML" });
    expect(to("100")[0]!.text).toContain("ERROR: &lt;b&gt;Сбой&lt;/b&gt; &amp; беда");
    expect(to("100")[0]!.text).toContain("Касса");
    for (let n = 0; n < 5; n++) await sendLog(server.url, uuid, { level: "ERROR", message: `ещё ${n}` });
    await sendLog(server.url, uuid, { level: "INFO", message: "оплата", tags: ["PAYMENT"] });
    await until(() => to("100").length === 2);
    expect(to("100")[1]!.text).toContain("INFO: оплата");
    const database = openEmbedded(server.dataDirectory);
    await database`update logger.alert_marks set told_at = now() - interval '16 minutes'`;
    await database.close();
    await sendLog(server.url, uuid, { level: "ERROR", message: "снова" });
    await until(() => to("100").length === 3);
    expect(to("100")[2]!.text).toContain("Не показано похожих: 5");
  });

  test("nothing in debug mode; a very long message is cut, not refused", async () => {
    const quiet = await makeProject(server.url, token, { ...telegram("101"), debugMode: true });
    await sendLog(server.url, quiet, { level: "ERROR" });
    const loud = await makeProject(server.url, token, telegram("102"));
    await sendLog(server.url, loud, { level: "ERROR", message: "&".repeat(20_000) });
    await until(() => to("102").length === 1);
    expect(to("101")).toEqual([]);
  });

  test("429 is waited out, a failing server is tried again, and nothing is lost or told twice", async () => {
    const uuid = await makeProject(server.url, token, telegram("103", [], 0));
    api.failNext(1, { status: 429, retryAfter: 1 });
    await sendLog(server.url, uuid, { level: "ERROR", message: "первый" });
    await sendLog(server.url, uuid, { level: "WARNING", message: "второй" });
    await until(() => to("103").length >= 1);
    await until(() => to("103").some(({ text }) => text.includes("второй")));
    await until(() => to("103").some(({ text }) => text.includes("первый")));
    await Bun.sleep(1500);
    const texts = to("103")
      .map(({ text }) => text)
      .join("\n");
    expect(texts.split("первый")).toHaveLength(2);
    expect(texts.split("второй")).toHaveLength(2);
  });

  test("a chat that is gone is given up, and that is noted", async () => {
    api.failNext(1, { status: 403, description: "Forbidden: bot was blocked by the user" });
    const uuid = await makeProject(server.url, token, telegram("104"));
    await sendLog(server.url, uuid, { level: "ERROR" });
    const [noted] = await until(async () => {
      const found = await findLogs(server.url, token, "logger-system", "tag=ALERT");
      return found.length > 0 ? found : null;
    });
    expect(noted!.metadata).toMatchObject({
      channel: "telegram",
      recipient: "104",
      reason: expect.stringContaining("403"),
    });
    expect(to("104")).toEqual([]);
  });

  test("its commands: subscribe, list, leave, language, unknown projects", async () => {
    const uuid = await makeProject(server.url, token, { name: "Склад" });
    const talk = async (text: string) => {
      const before = to("200").length;
      api.say(200, text);
      return (await until(() => to("200")[before] ?? null)).text;
    };
    expect(await talk(`/start ADD_${uuid}`)).toBe("Вы подписаны на уведомления проекта «Склад».");
    expect(await talk(`ADD_${uuid}`)).toBe("Вы уже подписаны на проект «Склад».");
    expect(await talk("/subscriptions")).toBe("Ваши подписки:\n• Склад");
    expect(await talk("/language")).toBe("Language: English.");
    expect(await talk("/subscriptions")).toContain("Your subscriptions");
    const { body } = await ask(server.url, "GET", `/api/projects/${uuid}/telegram`, { token });
    expect(body).toMatchObject({ enabled: true, recipients: [{ chatId: "200", tags: [] }] });
    expect(body.telegramLinks.subscribe).toMatch(new RegExp(`^https://t\\.me/\\w+\\?start=ADD_${uuid}$`));
    expect(await talk(`DELETE_${uuid}`)).toContain("no longer subscribed");
    expect(await talk("/language")).toBe("Язык: русский.");
    for (let n = 0; n < 9; n++) expect(await talk(`ADD_unknown${n}`)).toBe("Проект не найден.");
    expect(await talk("ADD_unknown")).toContain("через час");
    expect(await talk(`ADD_${uuid}`)).toContain("через час");
  });

  test("status and link, and the token is nowhere", async () => {
    const status = (await ask(server.url, "GET", "/api/settings/telegram-status", { token })).body;
    expect(status).toEqual({ tokenProvided: true, botStarted: true });
    const link = (await ask(server.url, "GET", "/api/settings/telegram-url", { token })).body;
    expect(link).toEqual({
      url: expect.stringMatching(/^https:\/\/t\.me\//),
      source: "telegram",
      botActive: true,
    });
    expect(JSON.stringify(await findLogs(server.url, token, "logger-system"))).not.toContain(botToken);
  });

  test("DELETE takes a chat off", async () => {
    const uuid = await makeProject(server.url, token, telegram("300"));
    const path = `/api/projects/${uuid}/telegram/recipients`;
    expect((await ask(server.url, "DELETE", `${path}/300`, { token })).body).toMatchObject({
      recipients: [],
    });
    expect((await ask(server.url, "DELETE", `${path}/300`, { token })).status).toBe(404);
  });
});

test("e-mail and web hook go the same way; the hook is signed and its secret never shown", async () => {
  const uuid = await makeProject(server.url, token, {
    name: "Почта",
    emailNotify: { enabled: true, recipients: [{ email: "duty@example.com", tags: ["ERROR"] }] },
    webhookNotify: { url: hook.url.href, secret: "shared secret", tags: ["ERROR"] },
  });
  const { body: shown } = await ask(server.url, "GET", `/api/projects/${uuid}`, { token });
  expect(shown.webhookNotify).toEqual({ enabled: true, url: hook.url.href, tags: ["ERROR"] });
  hookStatus = 503;
  await sendLog(server.url, uuid, { level: "ERROR", message: "Сбой почты" });
  await until(() => mails.length > 0 && hooks.length > 0);
  hookStatus = 200;
  expect(mails[0]).toContain("To: duty@example.com");
  const database = openEmbedded(server.dataDirectory);
  await database`update logger.outbox set next_attempt_at = now()`;
  await until(() => hooks.length === 2);
  const { headers, body } = hooks[1]!;
  const timestamp = headers.get("x-quintet-timestamp");
  const signature = createHmac("sha256", "shared secret").update(`${timestamp}.${body}`).digest("hex");
  expect(headers.get("x-quintet-signature")).toBe(`sha256=${signature}`);
  expect(JSON.parse(body).alerts[0]).toMatchObject({
    kind: "log",
    project: { uuid, name: "Почта" },
    tag: "ERROR",
    title: "ERROR: Сбой почты",
  });
  await until(async () => (await database`select 1 from logger.outbox`).length === 0);
  await database.close();
});

/** A service that does as it is told. */
function startFlapping() {
  const state = { status: 200, hits: 0 };
  const flapping = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch() {
      state.hits++;
      return new Response("x", { status: state.status });
    },
  });
  return { state, url: flapping.url.href, stop: () => flapping.stop(true) };
}

describe("services", () => {
  test("down after two failures in a row, up at once, each told once and kept in log and history", async () => {
    const target = startFlapping();
    const uuid = await makeProject(server.url, token, { name: "Сайт", ...telegram("400", [], 15) });
    const path = `/api/projects/${uuid}/ping-services`;
    const body = { name: "Главная", url: target.url, interval: 3600 };
    const { body: service } = await ask(server.url, "POST", path, { token, body });
    const check = async () => (await ask(server.url, "POST", `${path}/check`, { token })).body[0];
    target.state.status = 503;
    expect(await check()).toMatchObject({ lastStatus: "down", lastError: "HTTP 503" });
    await Bun.sleep(300);
    expect(to("400")).toEqual([]);
    await check();
    await until(() => to("400").length === 1);
    expect(to("400")[0]!.text).toContain("🔴 Главная: недоступен");
    await check();
    target.state.status = 404;
    expect(await check()).toMatchObject({ lastStatus: "degraded", lastError: "HTTP 404" });
    await until(() => to("400").length === 2);
    expect(to("400")[1]!.text).toContain("🟢 Главная: снова доступен");
    const tags = (
      await until(async () => {
        const found = await findLogs(server.url, token, uuid);
        return found.length === 2 ? found : null;
      })
    ).map(({ tags: [tag] }) => tag);
    expect(tags).toEqual(["PING_UP", "PING_DOWN"]);
    const { body: past } = await ask(server.url, "GET", `${path}/${service._id}/history`, { token });
    expect((past.events as { status: string }[]).map(({ status }) => status)).toEqual([
      "degraded",
      "down",
      "ok",
    ]);
    expect(past.uptime["24h"]).toMatchObject({ uptime: 40, coverage: 100 });
    expect(past.history).toHaveLength(288);
    expect(past.history.at(0)).toMatchObject({ status: "unknown", checks: 0 });
    await target.stop();
  });

  test("checked on time, without drift, never two at once", async () => {
    let isBusy = 0;
    let most = 0;
    const times: number[] = [];
    const slow = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch() {
        times.push(performance.now());
        most = Math.max(most, ++isBusy);
        await Bun.sleep(700);
        isBusy--;
        return new Response("x");
      },
    });
    const uuid = await makeProject(server.url, token);
    const path = `/api/projects/${uuid}/ping-services`;
    await ask(server.url, "POST", path, { token, body: { name: "slow", url: slow.url.href, interval: 5 } });
    await until(() => times.length >= 4, 30);
    await ask(server.url, "DELETE", `/api/projects/${uuid}`, { token });
    await slow.stop(true);
    expect(most).toBe(1);
    const [, first = 0, second = 0, third = 0] = times;
    expect(Math.round((second - first) / 5000)).toBe(1);
    expect(Math.round((third - first) / 5000)).toBe(2);
  });

  test("when everything fails at once it is our own network: unknown, one alert", async () => {
    await ask(server.url, "PUT", "/api/projects/logger-system", { token, body: telegram("500") });
    const uuid = await makeProject(server.url, token, telegram("501"));
    const path = `/api/projects/${uuid}/ping-services`;
    const database = openEmbedded(server.dataDirectory);
    await database`delete from logger.ping_services`;
    await Bun.sleep(200);
    const hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    // The hosts that were checked half a minute ago still speak for the network: they are forgotten first.
    await Bun.sleep(31_000);
    for (const host of hosts)
      await ask(server.url, "POST", path, {
        token,
        body: { name: host, url: `http://${host}:9/`, interval: 3600 },
      });
    for (let round = 0; round < 3; round++) await ask(server.url, "POST", `${path}/check`, { token });
    const { body } = await ask(server.url, "GET", path, { token });
    expect((body as { lastStatus: string }[]).map(({ lastStatus }) => lastStatus)).toEqual([
      "unknown",
      "unknown",
      "unknown",
    ]);
    await until(() => to("500").length > 0);
    expect(to("500").filter(({ text }) => text.includes("собственная сеть"))).toHaveLength(1);
    expect(to("501")).toEqual([]);
    await database.close();
    await ask(server.url, "PUT", "/api/projects/logger-system", {
      token,
      body: { telegramNotify: { enabled: false, recipients: [], antiSpamInterval: 15 } },
    });
  }, 90_000);

  (hasPostgres ? test : test.skip)(
    "two servers on one database check each service once",
    async () => {
      const database = await startPostgres();
      const settings = { DATABASE_URL: database.url, JWT_SECRET: "one secret of both servers, long enough" };
      const servers = await Promise.all([startTestServer(settings), startTestServer(settings)]);
      const admin = await administrator(servers[0]!.url);
      const uuid = await makeProject(servers[0]!.url, admin);
      const targets = Array.from({ length: 10 }, startFlapping);
      for (const [n, { url }] of targets.entries())
        await ask(servers[n % 2]!.url, "POST", `/api/projects/${uuid}/ping-services`, {
          token: admin,
          body: { name: `service ${n}`, url, interval: 5 },
        });
      await Bun.sleep(11_000);
      const hits = targets.map(({ state }) => state.hits);
      for (const target of targets) await target.stop();
      for (const each of servers) await each.stop();
      await database.stop();
      // One at creation, then one every five seconds: two or three, and never twice as many.
      for (const count of hits) expect(count).toBeWithin(2, 5);
    },
    60_000,
  );
});
