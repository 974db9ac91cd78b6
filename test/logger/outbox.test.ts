/**
 * Alerts outlive the server. What is to be told is committed with its log and told at least once: a message that was on its way when the server was
 * killed comes again, at the latest a minute later, when the dead server's claim ends. What was told and noted as told never comes again.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type BotApi, botToken, startBotApi } from "../support/bot-api.ts";
import { openEmbedded } from "../support/database.ts";
import { administrator, makeProject, sendLog, until } from "../support/logger.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory, startTestServer } from "../support/server.ts";

/** More chats than are told at once: there is a second round of deliveries to be killed in, when the first is over. */
const chats = Array.from({ length: 25 }, (_, n) => String(1000 + n));
const roundOfDeliveries = 20;

let api: BotApi;
let running: ServerProcess | null = null;

beforeEach(() => {
  api = startBotApi();
});

afterEach(async () => {
  running?.kill("SIGTERM");
  await running?.exited;
  running = null;
  await api.stop();
});

const settings = () => ({ BOT_API_KEY: botToken, TELEGRAM_API_ROOT: api.root });

async function start(dataDirectory: string): Promise<string> {
  running = await startProcess(dataDirectory, { env: settings() });
  return running.url;
}

/** Kills the server and waits until PostgreSQL, which lives on, has noticed: no statement of the dead one runs any more. */
async function kill(database: Bun.SQL): Promise<void> {
  running?.kill("SIGKILL");
  await running?.exited;
  const others = () =>
    database`select 1 from pg_stat_activity where usename = 'quintet' and application_name = 'postgres.js'`;
  await until(async () => (await others()).length === 0);
}

/** Fields of a project that tells everything, without pause, to `recipients`. */
const telling = (recipients: string[]) => ({
  telegramNotify: {
    enabled: true,
    recipients: recipients.map((chatId) => ({ chatId, tags: [] })),
    antiSpamInterval: 0,
  },
});

/** How often a chat was told of the log with this text. */
const timesTold = (chat: string, text: string) =>
  api.messages.filter((message) => message.chatId === chat && message.text.includes(text)).length;

const untilEmpty = (database: Bun.SQL) =>
  until(async () => (await database`select 1 from logger.outbox limit 1`).length === 0, 60);

test("killed while it tells, every acknowledged log is told, and again only what was on its way", async () => {
  const data = await freshDataDirectory();
  let url = await start(data);
  const uuid = await makeProject(url, await administrator(url), telling(chats));
  const database = openEmbedded(data);
  const acknowledged: string[] = [];
  /** By chat and text: how many kills it was in the outbox at, whether it had been sent or not. */
  const survived = new Map<string, number>();
  for (const answers of [roundOfDeliveries, 1, 2 * roundOfDeliveries]) {
    let left = answers;
    api.beforeAnswer = () => (left-- > 0 ? Promise.resolve() : new Promise(() => {}));
    const before = api.messages.length;
    let isOver = false;
    const client = async () => {
      for (let n = 0; !isOver; n++) {
        const text = `alert ${before}-${n};`;
        const sent = await sendLog(url, uuid, { message: text }).catch(() => null);
        if (sent?.status === 201) acknowledged.push(text);
        await Bun.sleep(50);
      }
    };
    const sending = client();
    await until(() => api.messages.length > before + answers);
    await kill(database);
    api.beforeAnswer = async () => {};
    isOver = true;
    await sending;
    for (const { recipient, text } of await database`
        select recipient, substring(notice->>'title' from 'alert.*') as text from logger.outbox`)
      survived.set(`${recipient} ${text}`, (survived.get(`${recipient} ${text}`) ?? 0) + 1);
    // The claims of the dead server would end after a minute.
    await database`update logger.outbox set claimed_until = null`;
    url = await start(data);
  }
  await untilEmpty(database);
  await database.close();
  const tellings = acknowledged.flatMap((text) =>
    chats.map((chat) => ({
      chat,
      text,
      told: timesTold(chat, text),
      survived: survived.get(`${chat} ${text}`) ?? 0,
    })),
  );
  expect(tellings.filter(({ told }) => told === 0)).toEqual([]);
  expect(tellings.filter(({ told, survived }) => told > 1 + survived)).toEqual([]);
  // The kills came in the midst of it: some had been told and noted as told, some were told again.
  expect(tellings.filter(({ survived }) => survived === 0).length).toBeGreaterThanOrEqual(roundOfDeliveries);
  expect(tellings.some(({ told }) => told > 1)).toBe(true);
});

test("the pause that Telegram asked for outlives the server", async () => {
  const data = await freshDataDirectory();
  let url = await start(data);
  const token = await administrator(url);
  const [patient, other] = [
    await makeProject(url, token, telling(["1"])),
    await makeProject(url, token, telling(["2"])),
  ];
  const database = openEmbedded(data);
  api.failNext(1, { status: 429, retryAfter: 3600 });
  await sendLog(url, patient, { message: "first" });
  await until(
    async () =>
      (await database`select 1 from logger.outbox where next_attempt_at > now() + interval '50 minutes'`)
        .length === 1,
  );
  await kill(database);
  url = await start(data);
  await sendLog(url, other, { message: "second" });
  await until(() => timesTold("2", "second") === 1);
  expect(timesTold("1", "first")).toBe(0);
  await database`update logger.outbox set next_attempt_at = now()`;
  await untilEmpty(database);
  await database.close();
  expect(timesTold("1", "first")).toBe(1);
});

(hasPostgres ? test : test.skip)("two servers on one database tell of each log once", async () => {
  const postgres = await startPostgres();
  const shared = {
    ...settings(),
    DATABASE_URL: postgres.url,
    JWT_SECRET: "one secret of both servers, long enough",
  };
  const servers = await Promise.all([startTestServer(shared), startTestServer(shared)]);
  const [one, two] = servers.map(({ url }) => url) as [string, string];
  const uuid = await makeProject(one, await administrator(one), telling(chats));
  api.beforeAnswer = () => Bun.sleep(20);
  const texts = Array.from({ length: 10 }, (_, n) => `alert ${n};`);
  for (const [n, text] of texts.entries())
    expect((await sendLog(n % 2 ? one : two, uuid, { message: text })).status).toBe(201);
  const database = new Bun.SQL(postgres.url);
  await untilEmpty(database);
  await database.close();
  for (const server of servers) await server.stop();
  await postgres.stop();
  const told = texts.flatMap((text) => chats.map((chat) => timesTold(chat, text)));
  expect(told).toEqual(Array(texts.length * chats.length).fill(1));
});
