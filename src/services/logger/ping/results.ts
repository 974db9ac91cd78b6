/**
 * Stores what checks found: the service's state, its history, an entry in the project's log and what is to be told, all in one transaction. Results that
 * come while one is written go together with the next; a check never waits for any of it.
 */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { Wakeable } from "../../../platform/wakeable.ts";
import { announce } from "../alerts/announce.ts";
import type { Event } from "../alerts/notice.ts";
import type { IngestQueue } from "../ingest/queue.ts";
import { systemUuid } from "../project.ts";
import type { Projects } from "../projects.ts";
import type { PingRow, ProjectRow } from "../tables.ts";
import { daysLeft, type Judgement, judge } from "./judge.ts";
import { OurNetwork } from "./our-network.ts";
import type { ProbeResult } from "./probe.ts";

export interface ResultsOptions {
  sql: Sql;
  log: Log;
  projects: Projects;
  queue: IngestQueue;
  /** Now, in milliseconds. */
  now: () => number;
  /** Called after the commit of something that is to be told. */
  onAlerts(): void;
}

interface Found {
  id: number;
  result: ProbeResult;
  at: number;
  done: () => void;
}

type Service = Pick<
  PingRow,
  | "id"
  | "projectId"
  | "name"
  | "url"
  | "telegramTags"
  | "lastStatus"
  | "failures"
  | "isDown"
  | "certificateExpiresAt"
  | "certificateAnnounced"
>;

const flushMilliseconds = 100;
const bucketMilliseconds = 300_000;
const retryMilliseconds = 1_000;
/** While the database is away no more results than this are kept. */
const mostWaiting = 5_000;

const words = {
  down: { tag: "PING_DOWN", level: "ERROR", kind: "ping_down", text: "недоступен" },
  up: { tag: "PING_UP", level: "INFO", kind: "ping_up", text: "снова доступен" },
  certificate: {
    tag: "PING_CERTIFICATE",
    level: "WARNING",
    kind: "certificate",
    text: "сертификат истекает",
  },
} as const;

type News = keyof typeof words;

export class PingResults {
  private readonly options: ResultsOptions;
  private readonly network = new OurNetwork();
  private waiting: Found[] = [];
  private readonly writing = new Wakeable(() => this.write());

  constructor(options: ResultsOptions) {
    this.options = options;
  }

  /** Takes a result; resolves when it is stored. */
  add(id: number, result: ProbeResult): Promise<void> {
    return new Promise((done) => {
      if (this.waiting.length >= mostWaiting) this.waiting.shift()?.done();
      this.waiting.push({ id, result, at: this.options.now(), done });
      this.writing.wake();
    });
  }

  /** Resolves when everything that was taken is stored. */
  async drained(): Promise<void> {
    await this.writing.settled();
  }

  private async write(): Promise<void> {
    await Bun.sleep(flushMilliseconds);
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0);
      try {
        await this.store(batch);
        for (const { done } of batch) done();
      } catch (error) {
        this.options.log.warn({ reason: reasonOf(error) }, "results of checks could not be stored");
        this.waiting.unshift(...batch);
        await Bun.sleep(retryMilliseconds);
      }
    }
  }

  private async store(batch: readonly Found[]): Promise<void> {
    const events: Event[] = [];
    await this.options.sql.begin(async (tx) => {
      const ids = batch.map(({ id }) => id);
      const rows = await tx<
        Service[]
      >`select id, project_id as "projectId", name, url, telegram_tags as "telegramTags",
          last_status as "lastStatus", failures, is_down as "isDown", certificate_expires_at as "certificateExpiresAt",
          certificate_announced as "certificateAnnounced"
        from logger.ping_services where id = any(${ids}) order by id for update`;
      const services = new Map(rows.map((row) => [row.id, row]));
      for (const found of batch) {
        const service = services.get(found.id);
        if (!service) continue;
        const after = await this.storeOne(tx, service, found, events);
        services.set(found.id, { ...service, ...after, lastStatus: after.status });
      }
      await announce(tx, events);
    });
    for (const event of events) this.logEvent(event);
    if (events.length > 0) this.options.onAlerts();
  }

  private async storeOne(
    tx: Queries,
    service: Service,
    { result, at }: Found,
    events: Event[],
  ): Promise<Judgement> {
    const { isAway, isNews } = this.network.see(service.url, result, at);
    const after = judge(service, result, isAway, at);
    const { status, failures, isDown, certificateExpiresAt, certificateAnnounced } = after;
    const error = isAway ? "Похоже, недоступна собственная сеть" : result.error;
    await tx`update logger.ping_services set last_status = ${status}, last_checked_at = ${new Date(at)},
        last_response_time_ms = ${result.responseTimeMs}, last_error = ${error}, failures = ${failures},
        is_down = ${isDown}, certificate_expires_at = ${certificateExpiresAt},
        certificate_announced = ${certificateAnnounced}, claimed_until = null
      where id = ${service.id}`;
    await countResult(tx, service.id, status, result.responseTimeMs, at);
    if (status !== service.lastStatus)
      await tx`insert into logger.ping_events (service_id, at, status, error)
        values (${service.id}, ${new Date(at)}, ${status}, ${error})`;
    const project = this.options.projects.byId(service.projectId);
    if (project)
      events.push(
        ...after.news.map((news) => eventOf(news, service, project, { ...result, certificateExpiresAt }, at)),
      );
    const system = this.options.projects.known(systemUuid);
    if (isNews && system) events.push(networkEvent(system, at));
    return after;
  }

  /** A change also stands in the project's log. */
  private logEvent({ project, tags, title, text, at }: Event): void {
    const [level = "INFO"] = tags;
    const message = text === "" ? title : `${title}: ${text}`;
    const row = {
      project: { ...project, debugMode: true },
      level,
      message,
      tags: tags.slice(1),
      at: at.getTime(),
    };
    this.options.queue.add({ ...row, metadata: { service: "ping" }, clientIp: null }, () => {});
  }
}

function eventOf(news: News, service: Service, project: ProjectRow, result: ProbeResult, at: number): Event {
  const { tag, level, kind, text } = words[news];
  const left = daysLeft(result.certificateExpiresAt, at);
  const reason =
    news === "certificate" ? `осталось дней: ${left}` : news === "down" ? (result.error ?? "") : "";
  return {
    project,
    kind,
    tags: [level, tag, ...service.telegramTags.filter((own) => own !== tag)],
    title: `${service.name}: ${text}`,
    text: reason,
    at: new Date(at),
    isAlwaysTold: news !== "down",
  };
}

const networkEvent = (project: ProjectRow, at: number): Event => ({
  project,
  kind: "network",
  tags: ["ERROR", "PING_NETWORK"],
  title: "Все проверки не удались: похоже, недоступна собственная сеть",
  text: "",
  at: new Date(at),
  isAlwaysTold: true,
});

async function countResult(
  tx: Queries,
  id: number,
  status: Judgement["status"],
  ms: number,
  at: number,
): Promise<void> {
  const start = new Date(Math.floor(at / bucketMilliseconds) * bucketMilliseconds);
  const one = (wanted: Judgement["status"]) => (status === wanted ? 1 : 0);
  await tx`insert into logger.ping_buckets as b (service_id, start, ok, degraded, down, unknown, total_ms, most_ms)
    values (${id}, ${start}, ${one("ok")}, ${one("degraded")}, ${one("down")}, ${one("unknown")}, ${ms}, ${ms})
    on conflict (service_id, start) do update set ok = b.ok + excluded.ok, degraded = b.degraded + excluded.degraded,
      down = b.down + excluded.down, unknown = b.unknown + excluded.unknown,
      total_ms = b.total_ms + excluded.total_ms, most_ms = greatest(b.most_ms, excluded.most_ms)`;
}
