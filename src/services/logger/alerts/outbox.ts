/**
 * Delivers what the outbox holds. Rows are claimed for a minute by one instance, for no more recipients than are told at once; those of one recipient go together, at most one
 * message a second. What cannot be delivered is tried again with growing pauses for a day. Delivery runs beside everything else and delays nothing; a slow
 * recipient holds up nobody but himself.
 */
import type { Sql } from "postgres";
import type { Topics } from "../../../platform/realtime/topics.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { Wakeable } from "../../../platform/wakeable.ts";
import type { SystemLog } from "../system-log.ts";
import type { Channel, Notice } from "./notice.ts";

/** What became of a message. Reasons hold no secret. */
export type Delivery =
  | { kind: "delivered" }
  | { kind: "retry"; reason: string; afterSeconds?: number }
  | { kind: "refused"; reason: string };

/** Hands notices to one recipient of a project. Never throws. */
export type Send = (recipient: string, notices: Notice[], projectId: number) => Promise<Delivery>;

export interface OutboxOptions {
  sql: Sql;
  topics: Topics;
  log: Log;
  system: SystemLog;
  senders: Record<Channel, Send | null>;
}

interface Claimed {
  id: string;
  project_id: number;
  channel: Channel;
  recipient: string;
  notice: Notice;
  attempts: number;
  age: number;
}

const topic = "logger-outbox";
const pollMilliseconds = 1_000;
const rowsAtOnce = 200;
const recipientMilliseconds = 1_000;
const mostAtOnce = 20;
const longestPause = 3_600;
const giveUpSeconds = 86_400;

export class Outbox {
  private readonly options: OutboxOptions;
  /** Recipients that were told within the last second, and until when they are left alone. */
  private readonly resting = new Map<string, number>();
  /** Recipients that are being told. */
  private readonly busy = new Map<string, Promise<void>>();
  private timer: Timer | null = null;
  private readonly looking = new Wakeable(() => this.look());
  private isStopped = false;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  start(): void {
    this.options.topics.subscribe(topic, () => this.wake());
    this.timer = setInterval(() => this.wake(), pollMilliseconds);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.looking.settled();
    await Promise.all(this.busy.values());
  }

  /** Says that something was put into the outbox. */
  wake(): void {
    if (!this.isStopped) this.looking.wake();
  }

  private async look(): Promise<void> {
    // Whoever is done wakes it again.
    if (this.isStopped || this.busy.size >= mostAtOnce) return;
    try {
      const rows = await this.claim();
      const groups = Map.groupBy(rows, ({ channel, recipient, project_id }) =>
        keyOf(channel, recipient, project_id),
      );
      for (const [key, group] of groups) this.busy.set(key, this.tell(key, group));
      if (rows.length > 0) this.wake();
    } catch (error) {
      this.options.log.warn({ reason: reasonOf(error) }, "alerts could not be looked for");
    }
  }

  private async tell(key: string, rows: Claimed[]): Promise<void> {
    try {
      await this.deliver(key, rows);
    } catch (error) {
      // The claim ends by itself, and the rows are told again.
      this.options.log.warn({ reason: reasonOf(error) }, "what became of an alert could not be kept");
    } finally {
      this.busy.delete(key);
      this.wake();
    }
  }

  private async claim(): Promise<Claimed[]> {
    const now = performance.now();
    for (const [key, until] of this.resting) if (until <= now) this.resting.delete(key);
    const left = [...this.resting.keys(), ...this.busy.keys()];
    return await this.options.sql<Claimed[]>`with due as (
        select id, channel || '|' || recipient || case when channel = 'webhook' then '|' || project_id else '' end as key
        from logger.outbox where next_attempt_at <= now() and (claimed_until is null or claimed_until < now())),
      chosen as (
        select key from due where key <> all(${left}) group by key order by min(id) limit ${mostAtOnce - this.busy.size})
      update logger.outbox o set claimed_until = now() + interval '1 minute', attempts = attempts + 1
      where id in (select id from logger.outbox
        where id in (select id from due where key in (select key from chosen))
          and next_attempt_at <= now() and (claimed_until is null or claimed_until < now())
        order by id limit ${rowsAtOnce} for update skip locked)
      returning id, project_id, channel, recipient, notice, attempts, extract(epoch from now() - created_at)::int as age`;
  }

  private async deliver(key: string, rows: Claimed[]): Promise<void> {
    const [first] = rows;
    if (!first) return;
    const { channel, recipient, project_id: projectId } = first;
    this.rest(key, recipientMilliseconds);
    const notices = rows.toSorted((a, b) => Number(a.id) - Number(b.id)).map(({ notice }) => notice);
    const send = this.options.senders[channel];
    const delivery: Delivery = send
      ? await send(recipient, notices, projectId)
      : { kind: "refused", reason: `${channel} не настроен` };
    // Whoever said how long to wait waits for that long whatever else there is.
    if (delivery.kind === "retry" && delivery.afterSeconds) this.rest(key, delivery.afterSeconds * 1_000);
    await this.settle(rows, delivery);
  }

  private rest(key: string, milliseconds: number): void {
    this.resting.set(key, performance.now() + milliseconds);
  }

  private async settle(rows: Claimed[], delivery: Delivery): Promise<void> {
    const { sql, system } = this.options;
    const ids = rows.map(({ id }) => id);
    const [first] = rows;
    const isTooOld = delivery.kind === "retry" && (first?.age ?? 0) > giveUpSeconds;
    if (delivery.kind === "retry" && !isTooOld) {
      const pause =
        delivery.afterSeconds ?? Math.min(longestPause, 5 * 2 ** Math.min(first?.attempts ?? 1, 12));
      await sql`update logger.outbox set claimed_until = null, next_attempt_at = now() + make_interval(secs => ${pause})
        where id = any(${ids})`;
      return;
    }
    await sql`delete from logger.outbox where id = any(${ids})`;
    if (delivery.kind === "delivered") return;
    const details = { channel: first?.channel, recipient: first?.recipient, reason: delivery.reason };
    system.note({ level: "WARNING", kind: "ALERT", message: "Уведомление не доставлено", details });
  }
}

const keyOf = (channel: Channel, recipient: string, projectId: number): string =>
  channel === "webhook" ? `${channel}|${recipient}|${projectId}` : `${channel}|${recipient}`;
