/** Sessions as the database has them, and how long they last. */
import { and, eq, sql } from "drizzle-orm";
import { type Account, accountOf } from "./account.ts";
import type { Orm } from "./audit.ts";
import { accounts, sessions } from "./tables.ts";

/** Where a login was made; it decides how long its tokens live. */
export type Surface = "accounts" | "pipelines" | "logger" | "messenger";

/** Seconds that a token of each surface lives. */
export const tokenLifetimes: Record<Surface, number> = {
  accounts: 3600,
  pipelines: 3600,
  logger: 3600,
  messenger: 1800,
};

/** Seconds that a refresh token lives, and with it a session that nobody ends. */
export const refreshLifetime = 30 * 86_400;
/** A time of the database's clock. */
export const inSeconds = (seconds: number) => sql`now() + make_interval(secs => ${seconds})`;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whose session it is; null when it is over, or its account may not log in. */
export async function findSession(
  orm: Orm,
  sessionId: string,
): Promise<{ account: Account; surface: Surface } | null> {
  if (!uuid.test(sessionId)) return null;
  const [row] = await orm
    .select({ account: accounts, surface: sessions.surface })
    .from(sessions)
    .innerJoin(accounts, eq(accounts.id, sessions.accountId))
    .where(and(eq(sessions.id, sessionId), accounts.isActive));
  return row ? { account: accountOf(row.account), surface: row.surface as Surface } : null;
}
