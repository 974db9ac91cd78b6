/** Grants: the tokens that a login gives, and those that take their place. */
import { createHash, randomBytes } from "node:crypto";
import { and, eq, gt, isNull, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Account } from "./account.ts";
import type { Orm } from "./audit.ts";
import { findSession, inSeconds, refreshLifetime, type Surface, tokenLifetimes } from "./session-rows.ts";
import { badToken, type Identity, type Sessions } from "./sessions.ts";
import { refreshTokens, sessions } from "./tables.ts";
import type { Tokens } from "./tokens.ts";

/** The answer to a login or a refresh. Times in seconds. */
export interface Grant {
  accessToken: string;
  /** Null where the surface knows none. */
  refreshToken: string | null;
  expiresIn: number;
}

export interface GrantsOptions {
  orm: PostgresJsDatabase;
  tokens: Tokens;
  sessions: Sessions;
  /** Now, in milliseconds. */
  now: () => number;
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

export class Grants {
  private readonly options: GrantsOptions;

  constructor(options: GrantsOptions) {
    this.options = options;
  }

  /** Begins a session, in the caller's transaction where there is one. */
  async begin(account: Account, surface: Surface, orm: Orm = this.options.orm): Promise<Grant> {
    const refreshes = surface === "accounts" || surface === "pipelines";
    const lifetime = refreshes ? refreshLifetime : tokenLifetimes[surface];
    const [row] = await orm
      .insert(sessions)
      .values({ accountId: account.id, surface, expiresAt: inSeconds(lifetime) })
      .returning({ id: sessions.id });
    if (!row) throw new Error("the session was not stored");
    const refreshToken = refreshes ? await this.addRefreshToken(orm, row.id) : null;
    return { ...(await this.grant(account, row.id, surface)), refreshToken };
  }

  /** A fresh token for a session whose token is more than half spent (the Messenger's sliding renewal); null when it is not. */
  async renew({ account, sessionId, surface, claims }: Identity): Promise<string | null> {
    const now = this.options.now() / 1000;
    if (surface !== "messenger" || now < (claims.iat + claims.exp) / 2) return null;
    const kept = await this.options.orm
      .update(sessions)
      .set({ expiresAt: inSeconds(tokenLifetimes[surface]) })
      .where(eq(sessions.id, sessionId))
      .returning({ id: sessions.id });
    return kept.length === 0 ? null : (await this.grant(account, sessionId, surface)).accessToken;
  }

  /**
   * Exchanges a refresh token for a new pair. A token that was used before ends its session: either its owner or a thief is holding a copy, and
   * nobody can tell who. `onReuse` is told of that. Fails with `unauthenticated`.
   */
  async refresh(token: string, onReuse: (account: Account) => Promise<void>): Promise<Grant> {
    const { orm } = this.options;
    const hash = hashOf(token);
    const refreshed = await orm.transaction(async (tx) => {
      const [used] = await tx
        .update(refreshTokens)
        .set({ usedAt: sql`now()` })
        .where(
          and(
            eq(refreshTokens.hash, hash),
            isNull(refreshTokens.usedAt),
            gt(refreshTokens.expiresAt, sql`now()`),
          ),
        )
        .returning({ sessionId: refreshTokens.sessionId });
      if (!used) return null;
      const found = await findSession(tx, used.sessionId);
      if (!found) return null;
      await tx
        .update(sessions)
        .set({ expiresAt: inSeconds(refreshLifetime) })
        .where(eq(sessions.id, used.sessionId));
      const refreshToken = await this.addRefreshToken(tx, used.sessionId);
      return { ...(await this.grant(found.account, used.sessionId, found.surface)), refreshToken };
    });
    if (refreshed) return refreshed;
    await this.endReused(hash, onReuse);
    throw badToken.invalid();
  }

  private async grant(account: Account, sessionId: string, surface: Surface): Promise<Grant> {
    const expiresIn = tokenLifetimes[surface];
    const userId = `user_${account.id}`;
    // The Messenger's document shows a number, and two roles.
    const shown =
      surface === "messenger"
        ? { user_id: account.id, role: account.role === "admin" ? "admin" : "user" }
        : { user_id: userId, role: account.role };
    const claims = { sub: userId, ...shown, username: account.username, sid: sessionId };
    return { accessToken: await this.options.tokens.sign(claims, expiresIn), refreshToken: null, expiresIn };
  }

  private async addRefreshToken(tx: Orm, sessionId: string): Promise<string> {
    const token = randomBytes(32).toString("base64url");
    await tx
      .insert(refreshTokens)
      .values({ hash: hashOf(token), sessionId, expiresAt: inSeconds(refreshLifetime) });
    return token;
  }

  private async endReused(hash: Buffer, onReuse: (account: Account) => Promise<void>): Promise<void> {
    const [reused] = await this.options.orm
      .select({ sessionId: refreshTokens.sessionId })
      .from(refreshTokens)
      .where(eq(refreshTokens.hash, hash));
    if (!reused) return;
    const found = await findSession(this.options.orm, reused.sessionId);
    await this.options.sessions.end(reused.sessionId);
    if (found) await onReuse(found.account);
  }
}
