/**
 * What an account's connections to this server are told, strictly in the order of its numbers: a number that follows the last one goes out at once; a gap means that
 * another server stored something, which is read from the database first.
 */
import type { Client } from "./client.ts";
import type { Deliveries, Delivery } from "./events.ts";

const readAtOnce = 200;

export class Feed {
  readonly accountId: number;
  readonly clients = new Set<Client>();
  private readonly deliveries: Deliveries;
  /** The last number that went out; null until it is known. */
  private position: number | null = null;
  /** The last number that was heard of. */
  private known = 0;
  private isReading = false;
  private starting: Promise<void> | null = null;

  constructor(accountId: number, deliveries: Deliveries) {
    this.accountId = accountId;
    this.deliveries = deliveries;
  }

  /** Resolves once it is known where the account is. Rejects while the database is away; asked again, it looks again. */
  async ready(): Promise<void> {
    this.starting ??= this.start().catch((error: unknown) => {
      this.starting = null;
      throw error;
    });
    await this.starting;
  }

  get last(): number {
    return this.position ?? 0;
  }

  /** Something that this server stored. */
  offer(delivery: Delivery): void {
    if (this.position !== null && !this.isReading && delivery.seq === this.position + 1) this.tell(delivery);
    else this.heardOf(delivery.seq);
  }

  /** There is something up to `seq`. */
  heardOf(seq: number): void {
    this.known = Math.max(this.known, seq);
    if (this.position !== null && this.known > this.position && !this.isReading) void this.read();
  }

  private async start(): Promise<void> {
    const last = await this.deliveries.lastOf([this.accountId]);
    this.position = last.get(this.accountId) ?? 0;
    this.heardOf(this.position);
  }

  private async read(): Promise<void> {
    this.isReading = true;
    try {
      while (this.position !== null && this.known > this.position) {
        const before: number = this.position;
        for await (const delivery of this.deliveries.after(this.accountId, before, readAtOnce))
          this.tell(delivery);
        if (this.position === before) break;
      }
    } catch {
      // The database is away; what was missed is found when it is back (`Hub.catchUp`).
    } finally {
      this.isReading = false;
    }
  }

  private tell(delivery: Delivery): void {
    this.position = delivery.seq;
    for (const client of this.clients) client.deliver(delivery);
  }
}
