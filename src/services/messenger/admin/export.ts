/** Everything as a file, made while it is sent: JSON, or CSV for spreadsheets. Chapter 7.4 of the document. */
import type { Sql } from "postgres";
import { byteOrderMark, csvLine } from "../../../platform/http/csv.ts";
import { imageContent } from "../messages/images.ts";
import { isoOf, timeOf } from "../messages/message.ts";
import { type MessageFilter, messageConditions } from "./lists.ts";

export type DataType = "users" | "messages" | "all";
export type Span = Pick<MessageFilter, "from" | "to">;
type Row = Record<string, unknown>;

const pageSize = 1_000;

const userColumns = [
  "id",
  "username",
  "display_name",
  "role",
  "is_active",
  "created_at",
  "last_login",
  "last_seen",
];
const messageColumns = [
  "id",
  "sender_id",
  "sender",
  "receiver_id",
  "receiver",
  "message_type",
  "content",
  "file_name",
  "file_size",
  "timestamp",
  "is_read",
  "read_at",
  "deleted_at",
];

const date = (value: unknown): string | null => (value instanceof Date ? value.toISOString() : null);

async function* users(sql: Sql, { from, to }: Span): AsyncGenerator<Row> {
  for (let last = 0; ; ) {
    const rows = await sql`select id, username, full_name, role, is_active, created_at, last_login, last_seen
      from identity.accounts where deleted_at is null and id > ${last}
        ${from === undefined ? sql`` : sql`and created_at >= ${timeOf(sql, from)}`}
        ${to === undefined ? sql`` : sql`and created_at <= ${timeOf(sql, to)}`}
      order by id limit ${pageSize}`;
    for (const row of rows)
      yield {
        id: row.id,
        username: row.username,
        display_name: row.full_name ?? row.username,
        role: row.role === "admin" ? "admin" : "user",
        is_active: row.is_active,
        created_at: date(row.created_at),
        last_login: date(row.last_login),
        last_seen: date(row.last_seen),
      };
    if (rows.length < pageSize) return;
    last = Number(rows.at(-1)?.id);
  }
}

async function* messages(sql: Sql, span: Span, withImages: boolean): AsyncGenerator<Row> {
  for (let last = 0; ; ) {
    const rows =
      await sql`select m.id::float8 as id, m.sender_id, s.username as sender, m.receiver_id, r.username as receiver, m.type,
        m.content, m.file_name, m.file_size, (extract(epoch from m.at) * 1000000)::float8 as at, m.read_at, m.deleted_at
      from messenger.messages m join identity.accounts s on s.id = m.sender_id join identity.accounts r on r.id = m.receiver_id
      where m.id > ${last} ${messageConditions(sql, span)} order by m.id limit ${pageSize}`;
    for (const row of rows) {
      const isImage = row.type === "image";
      const content = isImage && withImages ? await imageContent(sql, Number(row.id)) : row.content;
      yield {
        id: row.id,
        sender_id: row.sender_id,
        sender: row.sender,
        receiver_id: row.receiver_id,
        receiver: row.receiver,
        message_type: row.type,
        content,
        file_name: row.file_name,
        file_size: row.file_size,
        timestamp: isoOf(Number(row.at)),
        is_read: row.read_at !== null,
        read_at: date(row.read_at),
        deleted_at: date(row.deleted_at),
      };
    }
    if (rows.length < pageSize) return;
    last = Number(rows.at(-1)?.id);
  }
}

async function* jsonList(rows: AsyncGenerator<Row>): AsyncGenerator<string> {
  let separator = "[";
  for await (const row of rows) {
    yield separator + JSON.stringify(row);
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}

/** `{"success": true, "data": …}`: a list, or both lists by name. Images are inline. */
export async function* exportJson(sql: Sql, type: DataType, span: Span): AsyncGenerator<string> {
  yield '{"success":true,"data":';
  if (type === "all") yield '{"users":';
  if (type !== "messages") yield* jsonList(users(sql, span));
  if (type === "all") yield ',"messages":';
  if (type !== "users") yield* jsonList(messages(sql, span, true));
  yield type === "all" ? "}}" : "}";
}

/** One table. Of everything it has all columns, and a first one that tells what a row is. Images are named, not included. */
export async function* exportCsv(sql: Sql, type: DataType, span: Span): AsyncGenerator<string> {
  const isAll = type === "all";
  const columns = isAll
    ? ["record_type", ...new Set([...userColumns, ...messageColumns])]
    : type === "users"
      ? userColumns
      : messageColumns;
  const line = (kind: string) => (row: Row) =>
    csvLine(columns.map((name) => (name === "record_type" ? kind : row[name])));
  yield `${byteOrderMark}${csvLine(columns)}`;
  if (type !== "messages") for await (const row of users(sql, span)) yield line("user")(row);
  if (type !== "users") for await (const row of messages(sql, span, false)) yield line("message")(row);
}
