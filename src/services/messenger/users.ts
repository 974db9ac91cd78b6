/** Lists of users. */
import { and, asc, count, desc, eq, ilike, inArray, isNull, or, type SQL, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { containing } from "../../platform/database/like.ts";
import { type Account, accountOf } from "../../platform/identity/account.ts";
import { accounts } from "../../platform/identity/tables.ts";
import type { Page } from "./paging.ts";

const messageCount = sql`(select count(*) from messenger.messages m where m.sender_id = ${accounts.id} and m.deleted_at is null)`;

const columns = {
  id: accounts.id,
  username: accounts.username,
  display_name: accounts.fullName,
  role: accounts.role,
  created_at: accounts.createdAt,
  last_seen: accounts.lastSeen,
  last_login: accounts.lastLogin,
  message_count: messageCount,
};

/** What users may be sorted by. */
export type SortField = keyof typeof columns;
export const sortFields = Object.keys(columns) as [SortField, ...SortField[]];

export interface UserQuery {
  search?: string | undefined;
  /** Only these. */
  ids?: number[] | undefined;
  includeInactive?: boolean | undefined;
  sortBy: SortField;
  sortOrder: "asc" | "desc";
}

const condition = ({ search, ids, includeInactive }: UserQuery): SQL | undefined =>
  and(
    isNull(accounts.deletedAt),
    includeInactive ? undefined : eq(accounts.isActive, true),
    ids === undefined ? undefined : inArray(accounts.id, ids),
    search === undefined
      ? undefined
      : or(ilike(accounts.username, containing(search)), ilike(accounts.fullName, containing(search))),
  );

/** A page of users, and how many there are. */
export async function listUsers(
  orm: PostgresJsDatabase,
  query: UserQuery,
  { size, skip }: Page,
): Promise<{ users: Account[]; total: number }> {
  const direction = query.sortOrder === "asc" ? asc : desc;
  const where = condition(query);
  const [rows, [all]] = await Promise.all([
    orm
      .select()
      .from(accounts)
      .where(where)
      .orderBy(sql`${direction(columns[query.sortBy])} nulls last`, asc(accounts.id))
      .limit(size)
      .offset(skip),
    orm.select({ total: count() }).from(accounts).where(where),
  ]);
  return { users: rows.map(accountOf), total: all?.total ?? 0 };
}
