/** The Logger: application logs, uptime checks, alerts. Document: `specs/logger.md`. */
import { Elysia } from "elysia";
import type { Config } from "../../config.ts";
import type { Database } from "../../platform/database/connect.ts";
import { Leader } from "../../platform/database/leader.ts";
import { parseCidrs } from "../../platform/http/address.ts";
import { type Envelope, messageEnvelope } from "../../platform/http/envelopes.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import type { Sealer } from "../../platform/identity/sealing.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Service } from "../../platform/service.ts";
import type { Log } from "../../platform/telemetry/log.ts";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { AccessLists } from "./access-lists.ts";
import { announce } from "./alerts/announce.ts";
import { BotCommands } from "./alerts/bot-commands.ts";
import { emailSender } from "./alerts/email.ts";
import type { Event } from "./alerts/notice.ts";
import { Outbox } from "./alerts/outbox.ts";
import { Telegram } from "./alerts/telegram.ts";
import { webhookSender } from "./alerts/webhook.ts";
import { Guard } from "./guard.ts";
import { Ingest } from "./ingest/ingest.ts";
import { IngestQueue } from "./ingest/queue.ts";
import type { LogRow } from "./ingest/row.ts";
import { Partitions } from "./partitions.ts";
import { PingHistory } from "./ping/history.ts";
import { PingServices } from "./ping/ping-services.ts";
import { probe } from "./ping/probe.ts";
import { PingResults } from "./ping/results.ts";
import { PingSchedule } from "./ping/schedule.ts";
import { Projects } from "./projects.ts";
import { authRoutes } from "./routes/auth.ts";
import { logRoutes } from "./routes/logs.ts";
import type { LoggerParts } from "./routes/parts.ts";
import { pingRoutes } from "./routes/pings.ts";
import { projectRoutes } from "./routes/projects.ts";
import { settingsRoutes } from "./routes/settings.ts";
import { Search } from "./search/search.ts";
import { SystemLog } from "./system-log.ts";
import { Tail } from "./tail.ts";

export interface LoggerOptions {
  config: Config;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
  database: Database;
  topics: Topics;
  sealer: Sealer;
  limiter: Limiter;
  requests: Requests;
  identity: IdentityService;
}

const tendMilliseconds = 3_600_000;
/** Any numbers: who holds these locks polls Telegram, and tends old logs. */
const botLock = 5_111_900_823;
const tendLock = 5_111_900_824;

/** The document's service speaks Russian. */
const envelope: Envelope = (failure, context) => {
  const { status, body } = messageEnvelope(failure, context);
  return {
    status,
    body: failure.message === "Validation error" ? { ...body, message: "Ошибка валидации" } : body,
  };
};

/** A stored log as something that recipients may want to hear of. */
const eventOf = ({ project, level, message, tags, at }: LogRow): Event => ({
  project,
  kind: "log",
  tags: [level, ...tags.filter((tag) => tag !== level)],
  title: `${level}: ${message}`,
  text: "",
  at: new Date(at),
  isAlwaysTold: false,
});

export function createLogger(options: LoggerOptions): Service {
  const { config, log, now, database, topics, sealer, limiter, requests, identity } = options;
  const { sql, orm } = database;
  const { adminIps, retentionDays, pingAllow, pingDeny, smtp } = config.logger;
  const warn = (what: string) => (error: unknown) => log.warn({ reason: reasonOf(error) }, what);

  const partitions = new Partitions({ sql, log, now, retentionDays });
  const projects = new Projects(orm, sql, topics);
  const lists = new AccessLists(orm, topics, adminIps);
  const search = new Search(sql);
  const tail = new Tail({
    sessions: identity.sessions,
    topics,
    projects,
    search,
    now,
    onError: warn("the live tail could not be told"),
  });
  const queue: IngestQueue = new IngestQueue({
    sql,
    log,
    makePartitions: () => partitions.ensure(),
    onAlerts: async (tx, rows) => {
      if (await announce(tx, rows.map(eventOf))) setTimeout(() => outbox.wake(), 50);
    },
    onStored: (rows) => tail.stored(rows),
  });
  const system = new SystemLog(queue, projects, now);
  const guard = new Guard({ lists, limiter, requests, sessions: identity.sessions, system, now });
  const ingest = new Ingest({ queue, projects, partitions, guard, system, now });

  const telegram = new Telegram(config.logger.telegram);
  const openSecret = (sealed: string) => sealer.open(sealed);
  const senders = {
    telegram: telegram.send,
    email: smtp ? emailSender(smtp) : null,
    webhook: webhookSender({ projects, openSecret, now }),
  };
  const outbox = new Outbox({ sql, topics, log, system, senders });
  const commands = new BotCommands({ orm, projects, system, now });
  const bot = new Leader(sql, botLock, () => telegram.poll((chat, text) => commands.reply(chat, text)));

  const policy = { allow: parseCidrs(pingAllow), deny: parseCidrs(pingDeny) };
  const probeUrl = (url: string) => probe(url, policy);
  const results = new PingResults({ sql, log, projects, queue, now, onAlerts: () => outbox.wake() });
  const store = (id: number, result: Parameters<PingResults["add"]>[1]) => results.add(id, result);
  const schedule = new PingSchedule({
    sql,
    log,
    probe: probeUrl,
    onResult: (id, result) => void store(id, result),
  });
  const pings = new PingServices({ orm, probe: probeUrl, store });
  const history = new PingHistory(sql);

  const tend = async () => {
    await partitions.tend();
    await projects.trim(now());
    await projects.removeOrphans();
    await history.trim();
    await lists.removeExpired();
  };
  const tending = new Leader(sql, tendLock, () => {
    const run = () => void tend().catch(warn("old logs could not be tended"));
    run();
    const timer = setInterval(run, tendMilliseconds);
    return () => clearInterval(timer);
  });

  const seal = (secret: string) => sealer.seal(secret);
  const { logins } = identity;
  const data = { lists, projects, search, pings, history };
  const parts: LoggerParts = { ...data, guard, ingest, logins, system, telegram, seal };
  return {
    name: "Logger",
    sealed: [{ schema: "logger", table: "projects", column: "webhook_notify", type: "jsonb" }],
    prefixes: ["/api/auth", "/api/projects", "/api/logs", "/api/settings"],
    envelope,
    bodyLimit: 1024 * 1024,
    streamPaths: ["/api/logs/batch"],
    routes: new Elysia({ prefix: "/api" })
      .use(authRoutes(parts))
      .use(logRoutes(parts))
      .use(pingRoutes(parts))
      .use(projectRoutes(parts))
      .use(settingsRoutes(parts)),
    sockets: [tail.route],
    async start() {
      await partitions.ensure();
      await projects.start(warn("projects could not be loaded"));
      await lists.start(warn("the access lists could not be loaded"));
      tail.start();
      outbox.start();
      schedule.start();
      tending.start();
      if (telegram.isConfigured) bot.start();
    },
    async stop() {
      await schedule.stop();
      await results.drained();
      await bot.stop();
      await tending.stop();
      await outbox.stop();
      tail.stop();
    },
  };
}
