/** The audit trail of accounts: who did what to whom, when and from where. */
import { desc, eq } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { audit } from "./tables.ts";

export type AuditEvent =
  | "registered"
  | "login"
  | "login_failed"
  | "locked"
  | "logout"
  | "token_reused"
  | "updated"
  | "password_changed"
  | "role_changed"
  | "deactivated"
  | "activated"
  | "deleted";

/** Who acts, and from where; the server itself is nobody at no address. */
export interface Actor {
  accountId: number | null;
  address: string | null;
}

export const theServer: Actor = { accountId: null, address: null };

export interface AuditEntry {
  event: AuditEvent;
  /** Whose account; null when the name is nobody's. */
  accountId: number | null;
  username: string;
  actor: Actor;
  /** Never a secret. */
  details?: Record<string, unknown>;
}

/** The builder itself, or a transaction of it. */
export type Orm = PgDatabase<PgQueryResultHKT> | PostgresJsDatabase;

/** Writes one line of the trail, in the caller's transaction where there is one. */
export async function record(
  orm: Orm,
  { event, accountId, username, actor, details }: AuditEntry,
): Promise<void> {
  await orm.insert(audit).values({
    event,
    accountId,
    actorId: actor.accountId,
    username,
    address: actor.address,
    details: details ?? null,
  });
}

/** The trail of an account, newest first. */
export async function auditOf(orm: Orm, accountId: number, page: { skip: number; limit: number }) {
  return await orm
    .select()
    .from(audit)
    .where(eq(audit.accountId, accountId))
    .orderBy(desc(audit.id))
    .offset(page.skip)
    .limit(page.limit);
}
