/** The WebSocket's events (chapter 8 of the document), and where they are read again: an account's deliveries. */
import type { Sql } from "postgres";
import { type ImageLinks, imageContent } from "../messages/images.ts";
import { isoOf, type MessageRow, messageColumns, messageView } from "../messages/message.ts";

export const kinds = { message: 1, deletion: 2, reading: 3 } as const;

/** An event for an account, by its number there. */
export interface Delivery {
  seq: number;
  /** Null: nothing to be said any more. */
  frame: string | null;
  /** The login that caused it, whose own connections know it already. */
  causedBy: string | null;
}

export const frameOf = (event: string, data: object): string => JSON.stringify({ event, data });

export const newMessage = (row: MessageRow, content: string, links: ImageLinks): string =>
  frameOf("new_message", messageView(row, content, row.type === "image" ? links.linkTo(row.id) : null));

export const messageDeleted = (messageId: number, by: number): string =>
  frameOf("message_deleted", { message_id: messageId, deleted_by: by });

export interface Reading {
  reader: number;
  lastMessageId: number;
  count: number;
  /** Microseconds since 1970. */
  at: number;
}

export const messagesRead = ({ reader, lastMessageId, count, at }: Reading): string =>
  frameOf("messages_read", {
    reader_id: reader,
    last_message_id: lastMessageId,
    marked_count: count,
    read_at: isoOf(at),
  });

interface DeliveryRow extends MessageRow {
  seq: number;
  kind: number;
  details: Record<string, unknown> | null;
  is_deleted: boolean;
  session_id: string | null;
}

export class Deliveries {
  private readonly sql: Sql;
  private readonly links: ImageLinks;

  constructor(sql: Sql, links: ImageLinks) {
    this.sql = sql;
    this.links = links;
  }

  /** Up to `limit` of what an account was told after `seq`, in order. Images are read when it is their turn. */
  async *after(accountId: number, seq: number, limit: number): AsyncGenerator<Delivery> {
    const rows = await this.sql<DeliveryRow[]>`select d.seq::float8 as seq, d.kind, d.details,
        m.deleted_at is not null as is_deleted, m.session_id, ${messageColumns(this.sql)}
      from messenger.deliveries d join messenger.messages m on m.id = d.message_id
      where d.account_id = ${accountId} and d.seq > ${seq} order by d.seq limit ${limit}`;
    for (const row of rows)
      yield { seq: row.seq, frame: await this.frame(row), causedBy: causeOf(row, accountId) };
  }

  /** The number of the last thing that each account was told. */
  async lastOf(accountIds: readonly number[]): Promise<Map<number, number>> {
    const rows = await this.sql`select account_id, last_seq::float8 as seq from messenger.inboxes
      where account_id = any(${[...accountIds]}::int[])`;
    return new Map(rows.map((row) => [Number(row.account_id), Number(row.seq)]));
  }

  /** The number under which an account was told of a message, or of the last one before it. */
  async seqOfMessage(accountId: number, messageId: number): Promise<number> {
    const [row] = await this.sql`select seq::float8 as seq from messenger.deliveries
      where account_id = ${accountId} and kind = ${kinds.message} and message_id <= ${messageId} order by seq desc limit 1`;
    return Number(row?.seq ?? 0);
  }

  private async frame(row: DeliveryRow): Promise<string | null> {
    if (row.kind === kinds.deletion) return messageDeleted(row.id, Number(row.details?.by));
    if (row.kind === kinds.reading)
      return messagesRead({
        reader: row.receiver_id,
        lastMessageId: row.id,
        count: Number(row.details?.count),
        at: Number(row.details?.at),
      });
    if (row.is_deleted) return null;
    const content = row.type === "image" ? await imageContent(this.sql, row.id) : row.content;
    return newMessage(row, content, this.links);
  }
}

/** Whose connections sent the message: they are not told of it again, unless it was sent to oneself. */
const causeOf = (row: DeliveryRow, accountId: number): string | null =>
  row.kind === kinds.message && row.sender_id === accountId && row.receiver_id !== accountId
    ? row.session_id
    : null;
