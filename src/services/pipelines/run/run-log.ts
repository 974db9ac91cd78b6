/** The log of one run, written in batches. */
import type { Sql } from "postgres";

const flushMilliseconds = 200;
const mostLines = 10_000;
const longest = 4_000;

export class RunLog {
  private readonly sql: Sql;
  private readonly runId: number;
  private readonly onError: (error: unknown) => void;
  private pending: { at: Date; level: string; message: string }[] = [];
  private count = 0;
  private writing: Promise<void> = Promise.resolve();
  private timer: Timer | null = null;

  constructor(sql: Sql, runId: number, onError: (error: unknown) => void) {
    this.sql = sql;
    this.runId = runId;
    this.onError = onError;
  }

  /** Adds a line; after ten thousand of them no more. */
  add(level: "info" | "warning" | "error", message: string): void {
    if (this.count++ > mostLines) return;
    const text = message.replaceAll("\0", "").toWellFormed().slice(0, longest);
    this.pending.push({ at: new Date(), level, message: text });
    this.timer ??= setTimeout(() => void this.flushed(), flushMilliseconds);
  }

  /** Resolves when everything that was added is stored. */
  flushed(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const lines = this.pending.splice(0);
    this.writing = this.writing.then(() => this.write(lines)).catch(this.onError);
    return this.writing;
  }

  private async write(lines: { at: Date; level: string; message: string }[]): Promise<void> {
    if (lines.length === 0) return;
    await this
      .sql`insert into pipelines.run_logs ${this.sql(lines.map((line) => ({ run_id: this.runId, ...line })))}`;
  }
}
