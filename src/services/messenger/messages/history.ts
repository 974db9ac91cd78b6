/** Looking at what was said: conversations, their messages, what is unread, what was said about something. Always of one account. */
import type { Sql } from "postgres";
import { containing } from "../../../platform/database/like.ts";
import { failure } from "../envelope.ts";
import type { Page } from "../paging.ts";
import { pairOf } from "./members.ts";
import { type MessageRow, messageColumns, timeOf } from "./message.ts";

/** Which stretch of time, in microseconds since 1970; both ends are left out. */
export interface Stretch {
  before: number | null;
  after: number | null;
  limit: number;
}

export interface ConversationRow extends MessageRow {
  other_id: number;
  other_username: string;
  other_name: string | null;
  unread: number;
}

export class History {
  private readonly sql: Sql;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  /** Messages between two accounts, oldest first: the newest ones of the stretch, or with `after` the ones that follow it. Fails with `USER_001`. */
  async conversation(me: number, other: number, { before, after, limit }: Stretch): Promise<MessageRow[]> {
    const { sql } = this;
    const id = await this.conversationId(me, other);
    if (id === null) return [];
    const forward = after !== null;
    const rows = await sql<MessageRow[]>`select ${messageColumns(sql)} from messenger.messages m
      where conversation_id = ${id} and deleted_at is null
        ${before === null ? sql`` : sql`and at < ${timeOf(sql, before)}`}
        ${after === null ? sql`` : sql`and at > ${timeOf(sql, after)}`}
      order by at ${forward ? sql`asc` : sql`desc`} limit ${limit}`;
    return forward ? rows : rows.reverse();
  }

  /** One's own messages that contain a text, newest first. `before` names the last one of the page before. */
  async search(
    me: number,
    { q, userId, before, limit }: { q: string; userId: number | null; before: number | null; limit: number },
  ): Promise<MessageRow[]> {
    const { sql } = this;
    const [first, second] = pairOf(me, userId ?? me);
    return await sql<MessageRow[]>`select ${messageColumns(sql)} from messenger.messages m
      where conversation_id in (select id from messenger.conversations
          where ${userId === null ? sql`first_id = ${me} or second_id = ${me}` : sql`first_id = ${first} and second_id = ${second}`})
        and type = 'text' and deleted_at is null and content ilike ${containing(q)}
        ${before === null ? sql`` : sql`and id < ${before}`}
      order by id desc limit ${limit}`;
  }

  /** How many messages of each sender are unread. */
  async unread(me: number): Promise<{ userId: number; count: number; lastMessageId: number }[]> {
    const rows = await this.sql`select sender_id, count(*)::int as count, max(id)::float8 as last
      from messenger.messages where receiver_id = ${me} and read_at is null and deleted_at is null group by 1 order by 3 desc`;
    return rows.map((row) => ({
      userId: Number(row.sender_id),
      count: Number(row.count),
      lastMessageId: Number(row.last),
    }));
  }

  /** With whom an account talks: the last message of each conversation, newest first. */
  async conversations(me: number, { size, skip }: Page): Promise<{ rows: ConversationRow[]; total: number }> {
    const { sql } = this;
    const mine = sql`select id, case when first_id = ${me} then second_id else first_id end as other_id
      from messenger.conversations where first_id = ${me} or second_id = ${me}`;
    const rows = await sql<(ConversationRow & { total: number })[]>`select ${messageColumns(sql)}, other_id,
        a.username as other_username, a.full_name as other_name, count(*) over ()::int as total,
        (select count(*)::int from messenger.messages u where u.receiver_id = ${me} and u.sender_id = other_id
          and u.read_at is null and u.deleted_at is null) as unread
      from (${mine}) c join identity.accounts a on a.id = other_id
      join lateral (select * from messenger.messages l where l.conversation_id = c.id and l.deleted_at is null
        order by l.at desc limit 1) m on true
      order by m.at desc limit ${size} offset ${skip}`;
    if (rows[0]) return { rows, total: rows[0].total };
    const [all] = await sql`select count(*)::int as total from (${mine}) c where exists (
      select from messenger.messages m where m.conversation_id = c.id and m.deleted_at is null)`;
    return { rows, total: Number(all?.total ?? 0) };
  }

  /** A message of one's own conversations; null when there is none, or no longer. */
  async find(me: number, messageId: number): Promise<MessageRow | null> {
    const { sql } = this;
    const [row] = await sql<MessageRow[]>`select ${messageColumns(sql)} from messenger.messages m
      where id = ${messageId} and ${me} in (sender_id, receiver_id) and deleted_at is null`;
    return row ?? null;
  }

  private async conversationId(me: number, other: number): Promise<number | null> {
    const [first, second] = pairOf(me, other);
    const [row] = await this.sql`select (select id::float8 from messenger.conversations
        where first_id = ${first} and second_id = ${second}) as id,
      exists (select from identity.accounts where id = ${other} and deleted_at is null) as exists`;
    if (row?.id === null && row?.exists !== true) throw failure("USER_001");
    return row?.id === null ? null : Number(row?.id);
  }
}
