/**
 * Publish and subscribe. `publish` reaches the subscribers of this process; `broadcast` those of every instance, by a transport. What is sent while a
 * connection is lost is lost too: subscribers that keep a cache are told to load it again (`resync`).
 */
import type { Log } from "../telemetry/log.ts";

type Listener<M> = (message: M) => void;

interface Envelope {
  topic: string;
  message: unknown;
  /** Node that sent it and has already told its own subscribers. */
  from: string;
}

/** What carries messages between instances. */
export interface Transport {
  /** Begins to hear; connects again by itself. `onConnected` is called each time there is a connection, the first one included. */
  start(receive: (payload: string) => void, onConnected: () => void): Promise<void>;
  /** Sends to all instances, this one perhaps included. Less than 8,000 bytes. */
  send(payload: string): Promise<void>;
  stop(): Promise<void>;
}

export class Topics {
  private readonly listeners = new Map<string, Set<Listener<never>>>();
  private readonly resyncs = new Set<() => void>();
  private readonly transport: Transport;
  private readonly origin = crypto.randomUUID();
  private readonly log: Log;

  constructor(transport: Transport, log: Log) {
    this.transport = transport;
    this.log = log;
  }

  /** Starts to hear other instances; connects again by itself. */
  async start(): Promise<void> {
    let connected = false;
    await this.transport.start(
      (payload) => this.receive(payload),
      () => {
        if (connected) for (const resync of this.resyncs) resync();
        connected = true;
      },
    );
  }

  async stop(): Promise<void> {
    await this.transport.stop();
    this.listeners.clear();
    this.resyncs.clear();
  }

  /** Hears every message of `topic` until the answered function is called. */
  subscribe<M>(topic: string, listener: Listener<M>): () => void {
    const listeners = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, listeners.add(listener as Listener<never>));
    return () => {
      listeners.delete(listener as Listener<never>);
      if (listeners.size === 0) this.listeners.delete(topic);
    };
  }

  /** Calls `resync` whenever messages of other instances may have been missed. */
  onResync(resync: () => void): void {
    this.resyncs.add(resync);
  }

  /** Tells the subscribers of this process. */
  publish(topic: string, message: unknown): void {
    for (const listener of this.listeners.get(topic) ?? []) (listener as Listener<unknown>)(message);
  }

  /** Tells the subscribers of every instance. A message takes less than 8,000 bytes as JSON: send ids, not bodies. */
  async broadcast(topic: string, message: unknown): Promise<void> {
    this.publish(topic, message);
    await this.broadcastToOthers(topic, message);
  }

  /** As `broadcast`, but leaves this process out. */
  async broadcastToOthers(topic: string, message: unknown): Promise<void> {
    const envelope: Envelope = { topic, message, from: this.origin };
    await this.transport.send(JSON.stringify(envelope));
  }

  private receive(payload: string): void {
    try {
      const { topic, message, from } = JSON.parse(payload) as Envelope;
      if (from !== this.origin) this.publish(topic, message);
    } catch (error) {
      this.log.warn({ err: error }, "a notification that is not ours was ignored");
    }
  }
}
