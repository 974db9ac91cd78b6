/** One of many: of all instances on a database the one that holds a lock, as long as its connection lives. */
import type { ReservedSql, Sql } from "postgres";

const retryMilliseconds = 3_000;

export class Leader {
  private readonly sql: Sql;
  private readonly lock: number;
  private readonly lead: () => () => void | Promise<void>;
  private connection: ReservedSql | null = null;
  private stopLeading: (() => void | Promise<void>) | null = null;
  private timer: Timer | null = null;
  private trying: Promise<void> | null = null;
  private isStopped = false;

  /** `lock`: any number, the same on every instance. `lead` is called when this one begins to lead; what it answers, when it ends. */
  constructor(sql: Sql, lock: number, lead: () => () => void | Promise<void>) {
    this.sql = sql;
    this.lock = lock;
    this.lead = lead;
  }

  start(): void {
    this.timer = setInterval(() => this.try(), retryMilliseconds);
    this.try();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.trying;
    await this.resign();
  }

  private try(): void {
    this.trying ??= this.tend().finally(() => {
      this.trying = null;
    });
  }

  /** Tries to get the lock, or makes sure that it is still held. */
  private async tend(): Promise<void> {
    if (this.isStopped) return;
    try {
      if (this.connection) await this.connection`select 1`;
      else await this.candidate();
    } catch {
      await this.resign();
    }
  }

  private async candidate(): Promise<void> {
    const connection = await this.sql.reserve();
    let isHeld = false;
    try {
      const [row] = await connection`select pg_try_advisory_lock(${this.lock}) as held`;
      isHeld = row?.held === true;
    } finally {
      if (!isHeld) connection.release();
    }
    if (!isHeld) return;
    this.connection = connection;
    this.stopLeading = this.lead();
  }

  private async resign(): Promise<void> {
    const { connection, stopLeading } = this;
    this.connection = null;
    this.stopLeading = null;
    await stopLeading?.();
    if (!connection) return;
    await connection`select pg_advisory_unlock(${this.lock})`.catch(() => {});
    connection.release();
  }
}
