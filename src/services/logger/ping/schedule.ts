/**
 * When services are checked. Due ones are claimed in the database, so that each is checked once whatever the number of instances; the next time
 * follows from the last planned one, not from when the check ended, so nothing drifts. Checks never overlap and are at most so many at once.
 */
import type { Sql } from "postgres";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import type { ProbeResult } from "./probe.ts";

/** What a check needs to know of a service. */
export interface DueService {
  id: number;
  url: string;
  /** Milliseconds between the planned time and the claim. */
  lateness: number;
}

export interface ScheduleOptions {
  sql: Sql;
  log: Log;
  probe(url: string): Promise<ProbeResult>;
  /** Called with each result; it is stored by whoever takes it. */
  onResult(id: number, result: ProbeResult): void;
  /** For benchmarks: how late a check was, in milliseconds. */
  onLateness?(milliseconds: number): void;
}

const pollMilliseconds = 200;
const mostAtOnce = 50;
/** A check ends within ten seconds; whoever claimed it and died is given up after this. */
const claimSeconds = 20;

export class PingSchedule {
  private readonly options: ScheduleOptions;
  private readonly running = new Set<Promise<void>>();
  private timer: Timer | null = null;
  private isClaiming = false;
  private isStopped = false;

  constructor(options: ScheduleOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = setInterval(() => void this.tick(), pollMilliseconds);
  }

  /** Claims nothing more and waits for the checks under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await Promise.all(this.running);
  }

  private async tick(): Promise<void> {
    const room = mostAtOnce - this.running.size;
    if (this.isClaiming || this.isStopped || room <= 0) return;
    this.isClaiming = true;
    try {
      for (const service of await this.claim(room)) this.check(service);
    } catch (error) {
      this.options.log.warn({ reason: reasonOf(error) }, "services to check could not be looked for");
    } finally {
      this.isClaiming = false;
    }
  }

  private async claim(room: number): Promise<DueService[]> {
    const rows = await this.options.sql`update logger.ping_services s set
        claimed_until = now() + make_interval(secs => ${claimSeconds}),
        next_check_at = next_check_at + make_interval(secs => interval
          * (1 + floor(extract(epoch from now() - next_check_at) / interval)))
      from (select id, next_check_at as planned from logger.ping_services
        where next_check_at <= now() and (claimed_until is null or claimed_until < now())
        order by next_check_at limit ${room} for update skip locked) due
      where s.id = due.id
      returning s.id, s.url, (extract(epoch from now() - due.planned) * 1000)::int as lateness`;
    return rows.map(({ id, url, lateness }) => ({
      id: Number(id),
      url: String(url),
      lateness: Number(lateness),
    }));
  }

  private check({ id, url, lateness }: DueService): void {
    const { probe, onResult, onLateness } = this.options;
    onLateness?.(lateness);
    const checking = probe(url).then((result) => onResult(id, result));
    this.running.add(checking);
    void checking.finally(() => {
      this.running.delete(checking);
      // A place is free: with very many services the next one does not wait for the clock.
      if (this.running.size === mostAtOnce - 1) void this.tick();
    });
  }
}

/** Where in its interval a service is checked: spread by its id, with a little chance, so that services of one interval do not come together. */
export const firstDelaySeconds = (id: number, interval: number): number =>
  ((id * 0.618_033_988_75) % 1) * interval * 0.95 + Math.random() * interval * 0.05;
