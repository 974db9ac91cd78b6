/** Everybody who is connected to this server. */
import { Failure } from "../../../platform/http/failures.ts";
import { bearerToken } from "../../../platform/identity/bearer.ts";
import type { Sessions } from "../../../platform/identity/sessions.ts";
import type { Connection, SocketRoute, UpgradeRequest } from "../../../platform/realtime/sockets.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import type { Members } from "../messages/members.ts";
import { Client, type ClientHost, codes, type Member } from "./client.ts";
import type { Deliveries, Delivery } from "./events.ts";
import { Feed } from "./feed.ts";

const tickMilliseconds = 1_000;
const sweepMilliseconds = 10_000;
const keepAliveMilliseconds = 300_000;

/** Who hears of comings and goings. */
export interface Attendance {
  /** An account has a connection here. */
  arrived(accountId: number): void;
  /** A client is to be told of all others from now on. */
  listens(client: Client): void;
  /** The last connection of an account to this server is gone. */
  left(accountId: number): void;
}

export interface HubOptions {
  sessions: Sessions;
  deliveries: Deliveries;
  members: Members;
  log: Log;
  /** Connections of one account. */
  mostConnections: number;
  /** Now, in milliseconds. */
  now: () => number;
  attendance: Attendance;
  onTyping(from: number, to: number, isTyping: boolean): void;
}

export class Hub implements ClientHost {
  private readonly options: HubOptions;
  private readonly clients = new Set<Client>();
  private readonly feeds = new Map<number, Feed>();
  private readonly unwatch = new Map<Client, () => void>();
  private timers: Timer[] = [];

  constructor(options: HubOptions) {
    this.options = options;
  }

  start(): void {
    const { log } = this.options;
    const warn = (what: string) => (error: unknown) => log.warn({ reason: reasonOf(error) }, what);
    this.timers = [
      setInterval(() => {
        const time = performance.now();
        for (const client of this.clients) client.tick(time);
      }, tickMilliseconds),
      setInterval(
        () => void this.catchUp().catch(warn("missed messages could not be looked for")),
        sweepMilliseconds,
      ),
      setInterval(
        () => void this.keepAlive().catch(warn("sessions could not be kept alive")),
        keepAliveMilliseconds,
      ),
    ];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Ends all connections: clients know that they may come back. */
  disconnect(): void {
    for (const client of this.clients) client.end(codes.goingAway, "Сервер остановлен");
  }

  /** Connections of accounts to this server. */
  get connections(): number {
    let count = 0;
    for (const { clients } of this.feeds.values()) count += clients.size;
    return count;
  }

  /** The WebSocket `/ws/:user_id`. */
  get route(): SocketRoute {
    return { path: "/ws/:user_id", connect: (upgrade) => this.connect(upgrade) };
  }

  /** Something that this server stored for an account. */
  offer(accountId: number, delivery: Delivery): void {
    this.feeds.get(accountId)?.offer(delivery);
  }

  /** There is something for an account up to a number: another server stored it. */
  heardOf(accountId: number, seq: number): void {
    this.feeds.get(accountId)?.heardOf(seq);
  }

  /** Says to an account's connections what is not kept. */
  mention(accountId: number, frame: string): void {
    for (const client of this.feeds.get(accountId)?.clients ?? []) client.mention(frame);
  }

  /** Looks for what this server was not told of. */
  async catchUp(): Promise<void> {
    const last = await this.options.deliveries.lastOf([...this.feeds.keys()]);
    for (const [accountId, seq] of last) this.heardOf(accountId, seq);
  }

  now(): number {
    return this.options.now();
  }

  async authenticate(token: string, userId: string): Promise<Member | number> {
    const found = await this.options.sessions.identify(token);
    if (found instanceof Failure) return codes.unauthenticated;
    const { account, sessionId } = found;
    if (userId !== String(account.id) && userId !== `user_${account.id}`) return codes.wrongUser;
    return { accountId: account.id, sessionId };
  }

  async admit(client: Client, since: number | null): Promise<{ feed: Feed; position: number } | number> {
    const { accountId, sessionId } = client.member ?? { accountId: 0, sessionId: "" };
    const { members, deliveries, sessions, attendance, mostConnections } = this.options;
    const feed = this.feeds.get(accountId) ?? new Feed(accountId, deliveries);
    this.feeds.set(accountId, feed);
    if (feed.clients.size >= mostConnections) return codes.tooMany;
    feed.clients.add(client);
    this.unwatch.set(
      client,
      sessions.watch(sessionId, () => client.end(codes.unauthenticated)),
    );
    await members.ensureInboxes([accountId]);
    await feed.ready();
    // It may have left meanwhile, and leaves once.
    if (feed.clients.has(client)) attendance.arrived(accountId);
    const position = since === null ? feed.last : await deliveries.seqOfMessage(accountId, since);
    return { feed, position };
  }

  missed(accountId: number, seq: number, limit: number): AsyncGenerator<Delivery> {
    return this.options.deliveries.after(accountId, seq, limit);
  }

  opened(client: Client): void {
    this.clients.add(client);
  }

  acknowledged(client: Client): void {
    this.options.attendance.listens(client);
  }

  typing(from: number, to: number, isTyping: boolean): void {
    this.options.onTyping(from, to, isTyping);
  }

  leave(client: Client): void {
    this.clients.delete(client);
    this.unwatch.get(client)?.();
    this.unwatch.delete(client);
    const accountId = client.member?.accountId ?? 0;
    const feed = this.feeds.get(accountId);
    if (!feed?.clients.delete(client) || feed.clients.size > 0) return;
    this.feeds.delete(accountId);
    this.options.attendance.left(accountId);
  }

  private connect({ request, params }: UpgradeRequest): Connection {
    const query = new URL(request.url).searchParams;
    const token = bearerToken(request.headers.get("authorization")) ?? query.get("token");
    const since = query.get("since");
    return new Client({
      host: this,
      userId: params.user_id ?? "",
      token,
      since: since !== null && /^\d{1,15}$/.test(since) ? Number(since) : null,
    });
  }

  /** Whoever is connected is active: the session does not run out. */
  private async keepAlive(): Promise<void> {
    const bySession = new Map<string, Client[]>();
    for (const client of this.clients) {
      const sessionId = client.member?.sessionId;
      if (sessionId !== undefined) bySession.set(sessionId, [...(bySession.get(sessionId) ?? []), client]);
    }
    for (const sessionId of await this.options.sessions.keepAlive([...bySession.keys()]))
      for (const client of bySession.get(sessionId) ?? []) client.end(codes.unauthenticated);
  }
}
