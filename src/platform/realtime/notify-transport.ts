/** Messages between instances by PostgreSQL's NOTIFY: nothing else needs to run. */
import type { Sql } from "postgres";
import type { Transport } from "./topics.ts";

const channel = "quintet_topics";

export class NotifyTransport implements Transport {
  private readonly sql: Sql;
  private unlisten: (() => Promise<void>) | null = null;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  async start(receive: (payload: string) => void, onConnected: () => void): Promise<void> {
    const { unlisten } = await this.sql.listen(channel, receive, onConnected);
    this.unlisten = unlisten;
  }

  async send(payload: string): Promise<void> {
    await this.sql.notify(channel, payload);
  }

  async stop(): Promise<void> {
    await this.unlisten?.().catch(() => {});
  }
}
