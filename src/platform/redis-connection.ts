/** One connection to Redis. Bun's own reconnecting makes callers wait for ten attempts; here a caller fails at once and the next one tries again. */
import { RedisClient } from "bun";

const connectMilliseconds = 2_000;
/** After a failure so long nobody waits for another one. */
const pauseMilliseconds = 1_000;

/** A connection that is made when it is needed, once for all who need it at the time. */
export class RedisConnection {
  private readonly client: RedisClient;
  private connecting: Promise<unknown> | null = null;
  private failedAt = Number.NEGATIVE_INFINITY;

  constructor(url: string) {
    this.client = new RedisClient(url, {
      connectionTimeout: connectMilliseconds,
      autoReconnect: false,
      enableOfflineQueue: false,
    });
  }

  async send(command: string, values: string[]): Promise<unknown> {
    if (!this.client.connected) await this.connect();
    return await this.client.send(command, values);
  }

  close(): void {
    this.client.close();
  }

  private async connect(): Promise<void> {
    if (performance.now() - this.failedAt < pauseMilliseconds) throw new Error("Redis is away");
    this.connecting ??= this.client.connect();
    try {
      await this.connecting;
    } catch (error) {
      this.failedAt = performance.now();
      throw error;
    } finally {
      this.connecting = null;
    }
  }
}
