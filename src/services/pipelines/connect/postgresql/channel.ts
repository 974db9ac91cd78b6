/** Messages to and from a server, and the ways in which that ends: by us, by the server, by an abort. */
import { ConnectorError } from "../connector.ts";
import { Inbox, mostBytes } from "./inbox.ts";
import { type Message, PostgresError, readError, terminate, types } from "./messages.ts";
import type { Transport } from "./transport.ts";

export interface ChannelOptions {
  transport: Transport;
  /** Ends the channel; whoever waits then gets its reason. */
  signal: AbortSignal;
  /** What must not stand in an error. */
  secrets: readonly string[];
  /** Ends what the server does for us. */
  cancel(): Promise<void>;
}

/** They come at any time and say nothing that is needed here. */
const asides = new Set([types.notice, types.parameterStatus, types.notification]);

/** Received bytes beyond which the server has to wait, and below which it goes on. */
const mostReceived = 2 * 1024 * 1024;
const fewReceived = 1024 * 1024;
/** Nobody who is not a PostgreSQL server should make us wait for a gigabyte. */
const mostBeforeLogin = 64 * 1024;

const closedByUs = () => new ConnectorError("unreachable", "the session was closed");

export class Channel {
  private readonly options: ChannelOptions;
  private readonly inbox = new Inbox();
  private readonly onAbort = () => void this.break(this.options.signal.reason);
  private wake: (() => void) | null = null;
  private failure: unknown = null;
  private ending: Promise<void> | null = null;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.inbox.limit = mostBeforeLogin;
    options.transport.listen({ data: (bytes) => this.onData(bytes), closed: () => this.onClosed() });
    options.signal.addEventListener("abort", this.onAbort, { once: true });
  }

  /** Whether it is over. */
  get isClosed(): boolean {
    return this.failure !== null;
  }

  /** Lets messages be long, now that the server has shown what it is. */
  trust(): void {
    this.inbox.limit = mostBytes;
  }

  /** Throws why it is over, if it is. */
  throwIfClosed(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** Resolves when the system has taken it all. Throws why it cannot, in the server's words if it said any. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      await this.options.transport.write(bytes);
    } catch (error) {
      if (this.options.signal.aborted) throw this.options.signal.reason;
      const refusal = this.takeError();
      throw refusal ? this.errorOf(refusal.body) : (this.failure ?? error);
    }
  }

  /** The next message. Throws when there will be none: `last`, if the server said why before it went. */
  async next(last: PostgresError | null = null): Promise<Message> {
    for (;;) {
      const taken = this.inbox.take();
      if (taken) {
        if (this.inbox.size < fewReceived) this.options.transport.resume();
        if (!asides.has(taken.type)) return taken;
      } else if (this.failure !== null)
        throw this.options.signal.aborted ? this.failure : (last ?? this.failure);
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Hands on what comes until the server is ready for more, beginning with `first`; throws its error then. */
  async cycle(on: (message: Message) => void, first?: Message): Promise<void> {
    let error: PostgresError | null = null;
    for (let each = first ?? (await this.next()); each.type !== types.ready; each = await this.next(error)) {
      if (each.type === types.error) error ??= this.errorOf(each.body);
      else if (!error) on(each);
    }
    if (error) throw error;
  }

  /** An error that came unasked; whatever else lies there is thrown away. */
  takeError(): Message | null {
    for (let each = this.inbox.take(); each; each = this.inbox.take())
      if (each.type === types.error) return each;
    return null;
  }

  /** The server's error, without the secrets. */
  errorOf(body: Uint8Array): PostgresError {
    const { code, message, where } = readError(body);
    const hide = (told: string) => this.options.secrets.reduce(without, told);
    return new PostgresError(code, hide(message), where === null ? null : hide(where));
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    if (!this.isClosed) {
      this.over(closedByUs());
      this.options.transport.end(terminate);
    }
    await this.ending;
  }

  /** Closes without a word. */
  destroy(): void {
    this.over(closedByUs());
    this.options.transport.destroy();
  }

  /** Ends what runs on the server too: a cancel request, then the connection is cut. Whoever waits gets `why`, at once. */
  async break(why: unknown = closedByUs()): Promise<void> {
    if (!this.isClosed) {
      const { transport, cancel } = this.options;
      this.over(why);
      while (this.inbox.take());
      this.wakeUp();
      transport.abandon();
      this.ending = cancel().finally(() => transport.destroy());
    }
    await this.ending;
  }

  private onData(bytes: Uint8Array): void {
    if (this.isClosed) return;
    try {
      this.inbox.feed(bytes);
    } catch (error) {
      this.over(error);
      this.options.transport.destroy();
    }
    if (this.inbox.size > mostReceived) this.options.transport.pause();
    this.wakeUp();
  }

  private onClosed(): void {
    this.over(new ConnectorError("unreachable", "the server closed the connection"));
    this.wakeUp();
  }

  private wakeUp(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
  }

  private over(why: unknown): void {
    this.failure ??= why ?? closedByUs();
    this.options.signal.removeEventListener("abort", this.onAbort);
  }
}

/** `told` with `secret` blotted out where it stands as a word. */
function without(told: string, secret: string): string {
  if (secret === "") return told;
  const pattern = secret.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return told.replace(new RegExp(`(?<![\\p{L}\\p{N}_])${pattern}(?![\\p{L}\\p{N}_])`, "gu"), "…");
}
