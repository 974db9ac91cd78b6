/** The rows that a message needs before it can be said: its members' inboxes and their conversation. Once made they stay, so they are remembered. */
import type { Sql } from "postgres";
import { numberArray } from "../../../platform/database/array-literal.ts";

/** Two members, the smaller id first. */
export type Pair = readonly [first: number, second: number];

export const pairOf = (one: number, other: number): Pair => (one <= other ? [one, other] : [other, one]);

const keyOf = ([first, second]: Pair): string => `${first}:${second}`;
const mostRemembered = 100_000;

export class Members {
  private readonly sql: Sql;
  private readonly inboxes = new Set<number>();
  private readonly conversations = new Map<string, number>();

  constructor(sql: Sql) {
    this.sql = sql;
  }

  /** The conversation of a pair, once `ensure` was called for it; null when one of them has no account. */
  conversationOf(pair: Pair): number | null {
    return this.conversations.get(keyOf(pair)) ?? null;
  }

  /** Makes what is missing for these pairs. Accounts that do not exist or are not active get nothing. */
  async ensure(pairs: readonly Pair[]): Promise<void> {
    const unknown = [...new Map(pairs.map((pair) => [keyOf(pair), pair])).values()].filter(
      (pair) => !this.conversations.has(keyOf(pair)),
    );
    if (unknown.length === 0) return;
    await this.ensureInboxes(unknown.flat());
    const [first, second] = [0, 1].map((side) => numberArray(unknown.map((pair) => pair[side] ?? 0)));
    const given = this
      .sql`unnest(${first ?? ""}::text::int[], ${second ?? ""}::text::int[]) as u(first, second)`;
    // An account that is being deleted is waited for, and then is not there.
    await this.sql`insert into messenger.conversations (first_id, second_id)
      select first, second from ${given}
      join identity.accounts a on a.id = first join identity.accounts b on b.id = second
      where a.is_active and b.is_active order by 1, 2 for key share of a, b on conflict do nothing`;
    const rows = await this.sql`select id::float8 as id, first_id, second_id from messenger.conversations
      join ${given} on (first_id, second_id) = (first, second)`;
    if (this.conversations.size > mostRemembered) this.conversations.clear();
    for (const { id, first_id, second_id } of rows)
      this.conversations.set(keyOf([Number(first_id), Number(second_id)]), Number(id));
  }

  /** Makes inboxes that are missing. */
  async ensureInboxes(accountIds: readonly number[]): Promise<void> {
    const missing = accountIds.filter((id) => !this.inboxes.has(id));
    if (missing.length === 0) return;
    const rows = await this.sql`with made as (
        insert into messenger.inboxes (account_id)
        select id from identity.accounts where id = any(${numberArray(missing)}::text::int[]) and is_active
        order by id on conflict do nothing)
      select id from identity.accounts where id = any(${numberArray(missing)}::text::int[]) and is_active`;
    if (this.inboxes.size > mostRemembered) this.inboxes.clear();
    for (const { id } of rows) this.inboxes.add(Number(id));
  }
}
