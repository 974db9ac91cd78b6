/**
 * `WS /api/projects/:uuid/tail`: logs as they are stored, those that match the filters. What another instance stored is heard of by its keys, only
 * while somebody follows the project here.
 */
import { z } from "zod";
import { Failure } from "../../platform/http/failures.ts";
import { bearerToken } from "../../platform/identity/bearer.ts";
import type { Sessions } from "../../platform/identity/sessions.ts";
import type { Connection, Socket, SocketRoute, UpgradeRequest } from "../../platform/realtime/sockets.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { LogRow } from "./ingest/row.ts";
import type { Projects } from "./projects.ts";
import { type Filters, filterFields, matches } from "./search/filters.ts";
import { logView } from "./search/log-view.ts";
import type { Search } from "./search/search.ts";

const codes = { invalid: 4400, unauthenticated: 4001, forbidden: 4003, notFound: 4404 } as const;
const interestTopic = "logger-tail-interest";
const storedTopic = "logger-tail";
const interestMilliseconds = 30_000;
const renewMilliseconds = 10_000;
const flushMilliseconds = 100;
/** Keys of one notification: it holds less than 8,000 bytes. */
const keysAtOnce = 150;

const query = z.strictObject({ ...filterFields, token: z.string().optional() }).omit({ logId: true });

interface Follower {
  projectId: number;
  uuid: string;
  filters: Filters;
  socket: Socket;
}

interface StoredKeys {
  project: number;
  keys: [at: number, id: number][];
}

export interface TailOptions {
  sessions: Sessions;
  topics: Topics;
  projects: Projects;
  search: Search;
  /** Now, in milliseconds. */
  now: () => number;
  onError(error: unknown): void;
}

export class Tail {
  private readonly options: TailOptions;
  private readonly followers = new Set<Follower>();
  /** Projects that are followed on other instances, and until when. */
  private readonly interest = new Map<number, number>();
  private readonly untold = new Map<number, [number, number][]>();
  private timers: Timer[] = [];

  constructor(options: TailOptions) {
    this.options = options;
  }

  start(): void {
    const { topics, now, onError } = this.options;
    topics.subscribe<number[]>(interestTopic, (ids) => {
      for (const id of ids) this.interest.set(id, now() + interestMilliseconds);
    });
    topics.subscribe<StoredKeys>(storedTopic, (stored) => void this.fetch(stored).catch(onError));
    this.timers = [
      setInterval(() => void this.tellInterest().catch(onError), renewMilliseconds),
      setInterval(() => void this.tellStored().catch(onError), flushMilliseconds),
    ];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  get route(): SocketRoute {
    return { path: "/api/projects/:uuid/tail", connect: (upgrade) => this.connect(upgrade) };
  }

  /** Tells who follows of rows that were just stored. */
  stored(rows: readonly { id: number; row: LogRow }[]): void {
    if (this.followers.size === 0 && this.interest.size === 0) return;
    const now = this.options.now();
    for (const { id, row } of rows) {
      const projectId = row.project.id;
      this.tell(projectId, { ...row, id, at: new Date(row.at), client_ip: row.clientIp });
      if ((this.interest.get(projectId) ?? 0) > now)
        this.untold.set(projectId, [...(this.untold.get(projectId) ?? []), [row.at, id]]);
    }
  }

  private async connect({ request, params }: UpgradeRequest): Promise<Connection> {
    const given = Object.fromEntries(new URL(request.url).searchParams);
    const parsed = query.safeParse(given);
    if (!parsed.success)
      return refuse(codes.invalid, parsed.error.issues[0]?.message ?? "Некорректный запрос");
    const { token: inQuery, ...filters } = parsed.data;
    const token = bearerToken(request.headers.get("authorization")) ?? inQuery ?? "";
    const identity = await this.options.sessions.identify(token);
    if (identity instanceof Failure) return refuse(codes.unauthenticated, "Требуется авторизация");
    if (identity.account.role !== "admin") return refuse(codes.forbidden, "Недостаточно прав");
    const project = await this.options.projects.find(params.uuid ?? "").catch(() => null);
    if (!project) return refuse(codes.notFound, "Проект не найден");
    return this.follow({ projectId: project.id, uuid: project.uuid, filters }, identity.sessionId);
  }

  private follow(wanted: Omit<Follower, "socket">, sessionId: string): Connection {
    let follower: Follower | null = null;
    let unwatch = () => {};
    return {
      open: (socket) => {
        follower = { ...wanted, socket };
        this.followers.add(follower);
        unwatch = this.options.sessions.watch(sessionId, () =>
          socket.close(codes.unauthenticated, "Требуется авторизация"),
        );
        this.tellInterest().catch(this.options.onError);
      },
      close: () => {
        unwatch();
        if (follower) this.followers.delete(follower);
      },
    };
  }

  private tell(projectId: number, log: Parameters<typeof logView>[0]): void {
    for (const { projectId: followed, uuid, filters, socket } of this.followers) {
      if (followed !== projectId) continue;
      const tested = { ...log, at: log.at.getTime(), clientIp: log.client_ip };
      if (matches(filters, tested)) socket.send(JSON.stringify(logView(log, uuid)));
    }
  }

  private async tellInterest(): Promise<void> {
    const now = this.options.now();
    for (const [id, until] of this.interest) if (until <= now) this.interest.delete(id);
    const ids = [...new Set([...this.followers].map(({ projectId }) => projectId))];
    if (ids.length > 0) await this.options.topics.broadcastToOthers(interestTopic, ids.slice(0, 500));
  }

  private async tellStored(): Promise<void> {
    for (const [project, keys] of this.untold) {
      this.untold.delete(project);
      for (let at = 0; at < keys.length; at += keysAtOnce)
        await this.options.topics.broadcastToOthers(storedTopic, {
          project,
          keys: keys.slice(at, at + keysAtOnce),
        });
    }
  }

  private async fetch({ project, keys }: StoredKeys): Promise<void> {
    if (![...this.followers].some(({ projectId }) => projectId === project)) return;
    for (const log of await this.options.search.byKeys(project, keys)) this.tell(project, log);
  }
}

const refuse = (code: number, message: string): Connection => ({
  open(socket) {
    socket.send(JSON.stringify({ message }));
    socket.close(code, message);
  },
});
