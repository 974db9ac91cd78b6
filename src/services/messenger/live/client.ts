/** One WebSocket of the Messenger, from its handshake to its close. */
import type { Connection, Socket } from "../../../platform/realtime/sockets.ts";
import type { Delivery } from "./events.ts";
import type { Feed } from "./feed.ts";
import { answerTo, type Command } from "./frames.ts";

/** Close codes: RFC 6455, RFC 7936's registry (1013), and the document's own. */
export const codes = {
  goingAway: 1001,
  policy: 1008,
  tryAgainLater: 1013,
  unauthenticated: 4001,
  wrongUser: 4003,
  tooMany: 4008,
} as const;

export const reasons: Partial<Record<number, string>> = {
  [codes.unauthenticated]: "Неавторизованное подключение",
  [codes.wrongUser]: "Неверный user_id",
  [codes.tooMany]: "Слишком много подключений",
};

/** Who is connected. */
export interface Member {
  accountId: number;
  sessionId: string;
}

/** What a client asks of the hub. */
export interface ClientHost {
  /** Who a token belongs to, or the close code that it deserves. */
  authenticate(token: string, userId: string): Promise<Member | number>;
  /** Takes a client in; answers its feed and from which number on it is told, or a close code. */
  admit(client: Client, since: number | null): Promise<{ feed: Feed; position: number } | number>;
  /** What an account was told after a number. */
  missed(accountId: number, seq: number, limit: number): AsyncGenerator<Delivery>;
  leave(client: Client): void;
  typing(from: number, to: number, isTyping: boolean): void;
  /** The client was told that it is in: it hears of others from now on. */
  acknowledged(client: Client): void;
  /** Takes note of a connection, and forgets it in `leave`. */
  opened(client: Client): void;
  /** The time that is shown, in milliseconds since 1970. */
  now(): number;
}

/** For all that is measured: a clock that nobody sets. */
const ticks = (): number => performance.now();

/** Bytes that may wait for a slow reader before it is told nothing more until it has read them. */
const highWater = 256 * 1024;
const slowMilliseconds = 20_000;
const authMilliseconds = 10_000;
const pingMilliseconds = 25_000;
const silentMilliseconds = 60_000;
const readAtOnce = 100;
/** Frames a second that a client may send, and how many at once. */
const framesPerSecond = 20;
const burst = 100;

export interface ClientOptions {
  host: ClientHost;
  /** Of the path. */
  userId: string;
  /** Null: the first frame brings it. */
  token: string | null;
  /** The last message that the client has; null: it wants only what comes from now on. */
  since: number | null;
}

type State = "opening" | "catching up" | "live" | "closed";

export class Client implements Connection {
  readonly id = crypto.randomUUID();
  member: Member | null = null;
  private readonly options: ClientOptions;
  private socket: Socket | null = null;
  private state: State = "opening";
  private feed: Feed | null = null;
  private position = 0;
  private openedAt = 0;
  private heardAt = 0;
  private pingedAt = 0;
  private isEntering = false;
  private slowSince: number | null = null;
  private onDrained: (() => void) | null = null;
  private allowance = burst;
  private allowedAt = 0;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  async open(socket: Socket): Promise<void> {
    const now = ticks();
    this.socket = socket;
    this.options.host.opened(this);
    this.openedAt = this.heardAt = this.pingedAt = this.allowedAt = now;
    if (this.options.token !== null) await this.enter(this.options.token);
  }

  async message(_: Socket, message: string | Buffer): Promise<void> {
    if (this.state === "closed" || !this.isAllowed()) return;
    const command = answerTo(message, this.options.host.now());
    if (this.member === null) {
      if (this.options.token === null && command.kind === "auth") await this.enter(command.token);
    } else this.obey(command, this.member);
  }

  pong(): void {
    this.heardAt = ticks();
  }

  drain(): void {
    if ((this.socket?.getBufferedAmount() ?? 0) > 0) return;
    this.slowSince = null;
    this.onDrained?.();
    this.onDrained = null;
  }

  close(): void {
    this.state = "closed";
    this.onDrained?.();
    this.options.host.leave(this);
  }

  /** Tells an event, in order; what it has been told already is left out. */
  deliver({ seq, frame, causedBy }: Delivery): void {
    if (this.state !== "live" || seq <= this.position) return;
    this.position = seq;
    if (frame === null || causedBy === this.member?.sessionId) return;
    this.say(frame);
    if (this.isSlow()) void this.catchUp();
  }

  /** Tells what is not kept: nothing, to a slow reader. */
  mention(frame: string): void {
    if (this.feed !== null && this.state !== "closed" && this.slowSince === null) this.say(frame);
  }

  subscribe(channel: string): void {
    if (this.state !== "closed") this.socket?.subscribe(channel);
  }

  /** Ends the connection; the client learns why. */
  end(code: number, reason = reasons[code] ?? ""): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.socket?.close(code, reason);
  }

  /** What is due at a time: a ping, or the end of who is silent, slow or unknown for too long. */
  tick(now: number): void {
    if (this.state === "closed") {
      // It was told to end, and does not even read that.
      if (now - this.heardAt > silentMilliseconds) this.socket?.terminate();
    } else if (this.feed === null) {
      if (now - this.openedAt > authMilliseconds) this.end(codes.unauthenticated);
    } else if (now - this.heardAt > silentMilliseconds) this.end(codes.goingAway, "Нет ответа");
    else if (this.slowSince !== null && now - this.slowSince > slowMilliseconds)
      this.end(codes.tryAgainLater, "Слишком медленное чтение");
    else if (!this.isSlow() && now - this.pingedAt >= pingMilliseconds) this.ping(now);
  }

  private ping(now: number): void {
    this.pingedAt = now;
    const timestamp = new Date(this.options.host.now()).toISOString();
    this.say(JSON.stringify({ event: "ping", timestamp }));
    this.socket?.ping();
  }

  private async enter(token: string): Promise<void> {
    if (this.isEntering) return;
    this.isEntering = true;
    try {
      await this.admitted(token);
    } catch {
      // The database is away: the client comes back.
      this.end(codes.tryAgainLater, "Сервис временно недоступен");
    }
  }

  private async admitted(token: string): Promise<void> {
    const { host, userId, since } = this.options;
    const member = await host.authenticate(token, userId);
    if (this.isClosed()) return;
    if (typeof member === "number") return this.end(member);
    this.member = member;
    const admitted = await host.admit(this, since);
    if (this.isClosed()) return;
    if (typeof admitted === "number") {
      this.member = null;
      return this.end(admitted);
    }
    this.feed = admitted.feed;
    this.position = admitted.position;
    const data = { connection_id: this.id, user_id: member.accountId };
    const timestamp = new Date(host.now()).toISOString();
    this.say(JSON.stringify({ event: "connection_ack", data, timestamp }));
    host.acknowledged(this);
    await this.catchUp();
  }

  private isClosed(): boolean {
    return this.state === "closed";
  }

  /** Tells what was missed, as fast as the client reads, and goes live when nothing is left. */
  private async catchUp(): Promise<void> {
    const { feed, member } = this;
    if (!feed || !member || this.state === "catching up") return;
    this.state = "catching up";
    try {
      while (this.state === "catching up") {
        if (this.isSlow()) await this.drained();
        else if (this.position >= feed.last) this.state = "live";
        else await this.tellMissed(member, feed.last);
      }
    } catch {
      // The database is away: the client comes back, and resumes.
      this.end(codes.tryAgainLater, "Сервис временно недоступен");
    }
  }

  /** Tells the next of what was missed; up to `last` there is something for every number. */
  private async tellMissed({ accountId, sessionId }: Member, last: number): Promise<void> {
    const before = this.position;
    for await (const { seq, frame, causedBy } of this.options.host.missed(
      accountId,
      this.position,
      readAtOnce,
    )) {
      if (this.state !== "catching up") return;
      this.position = seq;
      if (frame !== null && causedBy !== sessionId) this.say(frame);
      if (this.isSlow()) return;
    }
    if (this.position === before) this.position = last;
  }

  private say(frame: string): void {
    this.socket?.send(frame);
  }

  private isSlow(): boolean {
    const isSlow = (this.socket?.getBufferedAmount() ?? 0) > highWater;
    if (isSlow) this.slowSince ??= ticks();
    return isSlow;
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.onDrained = resolve;
    });
  }

  private obey(command: Command, { accountId }: Member): void {
    this.heardAt = ticks();
    if (command.kind === "reply") {
      if (this.slowSince === null) this.say(command.frame);
    } else if (command.kind === "typing") this.options.host.typing(accountId, command.to, command.isTyping);
  }

  /** Whether the client may send one more frame; ends it when not. */
  private isAllowed(): boolean {
    const now = ticks();
    this.allowance = Math.min(burst, this.allowance + ((now - this.allowedAt) / 1000) * framesPerSecond);
    this.allowedAt = now;
    if (this.allowance < 1) {
      this.end(codes.policy, "Слишком много сообщений");
      return false;
    }
    this.allowance--;
    return true;
  }
}
