/** What administrators see: all users with their numbers of messages, all messages. */
import type { Fragment, Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";
import { isoOf, timeOf } from "../messages/message.ts";
import type { Page } from "../paging.ts";

export interface MessageFilter {
  userId?: number | undefined;
  type?: "text" | "image" | undefined;
  /** Microseconds since 1970, both included. */
  from?: number | undefined;
  to?: number | undefined;
}

const previewLength = 100;

/** `and …` for each filter, of a table of messages named `m`. */
export function messageConditions(sql: Queries, { userId, type, from, to }: MessageFilter): Fragment {
  return sql`
    ${userId === undefined ? sql`` : sql`and ${userId} in (m.sender_id, m.receiver_id)`}
    ${type === undefined ? sql`` : sql`and m.type = ${type}`}
    ${from === undefined ? sql`` : sql`and m.at >= ${timeOf(sql, from)}`}
    ${to === undefined ? sql`` : sql`and m.at <= ${timeOf(sql, to)}`}`;
}

/** How many messages each of these accounts has sent. */
export async function messageCounts(sql: Sql, accountIds: readonly number[]): Promise<Map<number, number>> {
  const rows = await sql`select sender_id, count(*)::int as count from messenger.messages
    where sender_id = any(${[...accountIds]}::int[]) and deleted_at is null group by 1`;
  return new Map(rows.map((row) => [Number(row.sender_id), Number(row.count)]));
}

/** A page of all messages that are not deleted, and how many there are. */
export async function listMessages(
  sql: Sql,
  filter: MessageFilter,
  order: "asc" | "desc",
  { size, skip }: Page,
) {
  const conditions = messageConditions(sql, filter);
  const [rows, [all]] = await Promise.all([
    sql`select m.id::float8 as id, m.sender_id, s.username as sender, m.receiver_id, r.username as receiver, m.type,
        left(m.content, ${previewLength}) as preview, m.file_name, (extract(epoch from m.at) * 1000000)::float8 as at,
        m.read_at is not null as is_read
      from messenger.messages m join identity.accounts s on s.id = m.sender_id join identity.accounts r on r.id = m.receiver_id
      where m.deleted_at is null ${conditions}
      order by m.id ${order === "asc" ? sql`asc` : sql`desc`} limit ${size} offset ${skip}`,
    sql`select count(*)::int as total from messenger.messages m where m.deleted_at is null ${conditions}`,
  ]);
  const messages = rows.map((row) => ({
    id: Number(row.id),
    sender: { id: Number(row.sender_id), username: String(row.sender) },
    receiver: { id: Number(row.receiver_id), username: String(row.receiver) },
    content_preview: row.type === "image" ? String(row.file_name ?? "") : String(row.preview),
    message_type: String(row.type),
    timestamp: isoOf(Number(row.at)),
    is_read: row.is_read === true,
  }));
  return { messages, total: Number(all?.total ?? 0) };
}
