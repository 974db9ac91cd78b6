/** Messages between instances by Redis, for many of them a second. */
import { RedisClient } from "bun";
import { RedisConnection } from "../redis-connection.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import type { Transport } from "./topics.ts";

const channel = "quintet:topics";
const tendMilliseconds = 2_000;
const connectMilliseconds = 2_000;
/** Beats that may go unheard before the subscription is made anew: a client may be connected and deaf. */
const mostUnheard = 2;

export class RedisTransport implements Transport {
  private readonly url: string;
  private readonly log: Log;
  private readonly sender: RedisConnection;
  private readonly beat = `beat ${crypto.randomUUID()}`;
  private listener: RedisClient | null = null;
  private unheard = 0;
  private isAway = false;
  private isTending = false;
  private timer: Timer | null = null;
  private receive: (payload: string) => void = () => {};
  private onConnected: () => void = () => {};

  constructor(url: string, log: Log) {
    this.url = url;
    this.log = log;
    this.sender = new RedisConnection(url);
  }

  async start(receive: (payload: string) => void, onConnected: () => void): Promise<void> {
    this.receive = receive;
    this.onConnected = onConnected;
    await this.tend();
    this.timer = setInterval(() => void this.tend(), tendMilliseconds);
  }

  async send(payload: string): Promise<void> {
    await this.sender.send("PUBLISH", [channel, payload]);
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    this.listener?.close();
    this.sender.close();
  }

  /** Says something that only this instance listens for, and listens anew when it was not heard. */
  private async tend(): Promise<void> {
    if (this.isTending) return;
    this.isTending = true;
    try {
      if (this.listener === null || !this.listener.connected || this.unheard >= mostUnheard)
        await this.listen();
      this.unheard++;
      await this.send(this.beat);
      this.isAway = false;
    } catch (error) {
      if (!this.isAway)
        this.log.warn(
          { reason: reasonOf(error) },
          "Redis does not answer: other instances hear of things later",
        );
      this.isAway = true;
    } finally {
      this.isTending = false;
    }
  }

  private async listen(): Promise<void> {
    this.listener?.close();
    this.listener = null;
    const listener = new RedisClient(this.url, {
      connectionTimeout: connectMilliseconds,
      autoReconnect: false,
      enableOfflineQueue: false,
    });
    await listener.connect();
    await listener.subscribe(channel, (payload) => {
      if (payload === this.beat) this.unheard = 0;
      else if (!payload.startsWith("beat ")) this.receive(payload);
    });
    this.listener = listener;
    this.unheard = 0;
    this.onConnected();
  }
}
