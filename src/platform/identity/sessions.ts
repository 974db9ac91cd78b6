/**
 * Sessions: what a token is good for. They live in the database; every instance keeps those that it has seen, with their accounts, in memory, and
 * is told by NOTIFY when one ends or an account changes. So a request costs no round trip, and an end counts everywhere at once.
 */
import { and, eq, inArray, lt, ne, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { Failure, unauthenticated } from "../http/failures.ts";
import type { Topics } from "../realtime/topics.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import type { Account } from "./account.ts";
import type { Orm } from "./audit.ts";
import { findSession, inSeconds, type Surface, tokenLifetimes } from "./session-rows.ts";
import { accounts, sessions } from "./tables.ts";
import type { BadToken, Claims, Tokens } from "./tokens.ts";

/** Sessions kept in memory; beyond that the one that was loaded first is forgotten. */
const mostCached = 50_000;
/** An account's `last_seen` is written at most this often, in milliseconds. */
const seenInterval = 60_000;
const topic = "identity";

/** Who sends a request. */
export interface Identity {
  account: Account;
  sessionId: string;
  surface: Surface;
  claims: Claims;
}

interface Known {
  account: Account;
  surface: Surface;
  seenAt: number;
}

/** What changed: sessions that ended, an account whose copies are out of date. */
interface Change {
  ended: string[];
  changed: number | null;
}

export interface SessionsOptions {
  orm: PostgresJsDatabase;
  topics: Topics;
  tokens: Tokens;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
}

/** Ends the sessions of an account, except one; answers which they were. Tell `Sessions.tell` after the commit. */
export async function endSessionsOf(tx: Orm, accountId: number, except: string | null): Promise<string[]> {
  const others = except === null ? undefined : ne(sessions.id, except);
  const rows = await tx
    .delete(sessions)
    .where(and(eq(sessions.accountId, accountId), others))
    .returning({ id: sessions.id });
  return rows.map(({ id }) => id);
}

/** What a token that is none deserves. */
export const badToken: Record<BadToken, () => Failure> = {
  invalid: () => unauthenticated("Not authenticated", { code: "INVALID_TOKEN" }),
  expired: () => unauthenticated("Not authenticated", { code: "TOKEN_EXPIRED" }),
};

export class Sessions {
  private readonly options: SessionsOptions;
  private readonly known = new Map<string, Known>();
  private readonly loading = new Map<string, Promise<Identity | Failure>>();
  private readonly watchers = new Map<string, Set<() => void>>();
  /** Counts what was forgotten, so that a load that was under way meanwhile is not kept. */
  private generation = 0;

  constructor(options: SessionsOptions) {
    this.options = options;
  }

  start(): void {
    const { topics, log } = this.options;
    topics.subscribe<Change>(topic, (change) => this.forget(change));
    topics.onResync(() => {
      this.generation++;
      this.known.clear();
      this.endMissed().catch((error: unknown) =>
        log.warn({ reason: reasonOf(error) }, "ended sessions could not be looked for"),
      );
    });
  }

  /**
   * Who a token belongs to, or the failure that it deserves. Answers at once, without a promise, for a session that is in memory: the hot path
   * of every request.
   */
  identify(token: string): Identity | Failure | Promise<Identity | Failure> {
    const claims = this.options.tokens.verify(token);
    if (typeof claims === "string") return badToken[claims]();
    const { sid } = claims;
    if (sid === undefined) return badToken.invalid();
    const known = this.known.get(sid);
    return known ? this.identityOf(sid, known, claims) : this.loadOnce(sid, claims);
  }

  /** Keeps sessions whose clients are connected from running out; answers those that are over all the same. */
  async keepAlive(sessionIds: readonly string[]): Promise<string[]> {
    if (sessionIds.length === 0) return [];
    const kept = await this.options.orm
      .update(sessions)
      .set({ expiresAt: sql`greatest(${sessions.expiresAt}, ${inSeconds(tokenLifetimes.messenger)})` })
      .where(inArray(sessions.id, [...sessionIds]))
      .returning({ id: sessions.id });
    const alive = new Set(kept.map(({ id }) => id));
    return sessionIds.filter((id) => !alive.has(id));
  }

  /** Ends a session, everywhere. */
  async end(sessionId: string): Promise<void> {
    await this.options.orm.delete(sessions).where(eq(sessions.id, sessionId));
    await this.tell({ ended: [sessionId], changed: null });
  }

  /** Tells every instance what ended or changed. Call it after the commit. */
  async tell({ ended, changed }: Change): Promise<void> {
    // A notification holds less than 8,000 bytes: an account with very many sessions takes several.
    for (let at = 0; at === 0 || at < ended.length; at += 100)
      await this.options.topics.broadcast(topic, { ended: ended.slice(at, at + 100), changed });
  }

  /** Calls `onEnd` once when a session ends, wherever that happens: live sockets close then. Answers how to stop watching. */
  watch(sessionId: string, onEnd: () => void): () => void {
    const watchers = this.watchers.get(sessionId) ?? new Set();
    this.watchers.set(sessionId, watchers.add(onEnd));
    return () => {
      watchers.delete(onEnd);
      if (watchers.size === 0 && this.watchers.get(sessionId) === watchers) this.watchers.delete(sessionId);
    };
  }

  /** Removes sessions whose time is over. */
  async expire(): Promise<void> {
    await this.options.orm.delete(sessions).where(lt(sessions.expiresAt, sql`now()`));
  }

  private identityOf(sessionId: string, known: Known, claims: Claims): Identity {
    this.noteSeen(known);
    return { account: known.account, sessionId, surface: known.surface, claims };
  }

  /** Whoever asks while a session is being read waits for that. */
  private async loadOnce(sessionId: string, claims: Claims): Promise<Identity | Failure> {
    const loading = this.loading.get(sessionId);
    if (!loading) {
      const load = this.load(sessionId, claims).finally(() => this.loading.delete(sessionId));
      this.loading.set(sessionId, load);
      return await load;
    }
    const found = await loading;
    return found instanceof Failure ? found : { ...found, claims };
  }

  private async load(sessionId: string, claims: Claims): Promise<Identity | Failure> {
    const { generation } = this;
    const found = await findSession(this.options.orm, sessionId);
    if (!found) return badToken.invalid();
    const known: Known = { ...found, seenAt: 0 };
    if (generation === this.generation) this.remember(sessionId, known);
    return this.identityOf(sessionId, known, claims);
  }

  private remember(sessionId: string, known: Known): void {
    if (this.known.size >= mostCached) {
      const [first] = this.known.keys();
      if (first !== undefined) this.known.delete(first);
    }
    this.known.set(sessionId, known);
  }

  /** Writes when the account was last seen, not at every request. */
  private noteSeen(known: Known): void {
    const now = this.options.now();
    if (now - known.seenAt < seenInterval) return;
    known.seenAt = now;
    this.options.orm
      .update(accounts)
      .set({ lastSeen: sql`now()` })
      .where(eq(accounts.id, known.account.id))
      .catch((error: unknown) =>
        this.options.log.warn({ reason: reasonOf(error) }, "when an account was last seen could not be kept"),
      );
  }

  private forget({ ended, changed }: Change): void {
    this.generation++;
    for (const sessionId of ended) {
      this.known.delete(sessionId);
      const watchers = this.watchers.get(sessionId);
      this.watchers.delete(sessionId);
      for (const onEnd of watchers ?? []) onEnd();
    }
    if (changed === null) return;
    for (const [sessionId, { account }] of this.known)
      if (account.id === changed) this.known.delete(sessionId);
  }

  /** Ends of watched sessions may have been missed while the connection was lost. */
  private async endMissed(): Promise<void> {
    const watched = [...this.watchers.keys()];
    if (watched.length === 0) return;
    const rows = await this.options.orm
      .select({ id: sessions.id })
      .from(sessions)
      .where(inArray(sessions.id, watched));
    const present = new Set(rows.map(({ id }) => id));
    this.forget({ ended: watched.filter((id) => !present.has(id)), changed: null });
  }
}
