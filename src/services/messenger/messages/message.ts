/** Messages as they are stored and shown. */
import type { Fragment } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";

export type MessageType = "text" | "image";

/** A message as the database gives it. */
export interface MessageRow {
  id: number;
  sender_id: number;
  receiver_id: number;
  type: MessageType;
  content: string;
  file_name: string | null;
  file_size: number | null;
  /** Microseconds since 1970. */
  at: number;
  /** Microseconds since 1970. */
  read_at: number | null;
  client_id: string | null;
}

/** The columns of a `MessageRow`, of a table named `m`. Numbers beyond 2^53 do not occur. */
export const messageColumns = (sql: Queries): Fragment =>
  sql`m.id::float8 as id, m.sender_id, m.receiver_id, m.type, m.content, m.file_name, m.file_size,
    (extract(epoch from m.at) * 1000000)::float8 as at, (extract(epoch from m.read_at) * 1000000)::float8 as read_at, m.client_id`;

/** A time of so many microseconds since 1970, for a query. */
export const timeOf = (sql: Queries, micros: number): Fragment =>
  sql`('epoch'::timestamptz + ${micros}::float8 * interval '1 microsecond')`;

/** Microseconds since 1970 as ISO 8601. */
export function isoOf(micros: number): string {
  const milliseconds = Math.floor(micros / 1000);
  const rest = String(micros - milliseconds * 1000).padStart(3, "0");
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${rest}Z`;
}

const isoForm = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/i;

/** Microseconds since 1970 of an ISO 8601 time, UTC where it names no zone; null when it is none. */
export function microsOf(text: string): number | null {
  // A `+` of a zone that was not escaped in a query has become a blank.
  const parts = isoForm.exec(
    text.trim().replace(/([T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)$/i, "$1+$2"),
  );
  if (!parts) return null;
  const [, day, minutes = "00:00", seconds = "00", fraction = "", zone = "Z"] = parts;
  // A day that the calendar does not have is none.
  if (!new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day ?? "")) return null;
  const whole = Date.parse(`${day}T${minutes}:${seconds}${zone.toUpperCase()}`);
  return Number.isNaN(whole) ? null : whole * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

/** A message as the document shows it; `content` of an image is filled in by whoever has its bytes. */
export function messageView(row: MessageRow, content: string | null, imageUrl: string | null) {
  return {
    id: row.id,
    sender_id: row.sender_id,
    receiver_id: row.receiver_id,
    content,
    message_type: row.type,
    ...(row.type === "image"
      ? { file_name: row.file_name, file_size: row.file_size, image_url: imageUrl }
      : {}),
    timestamp: isoOf(row.at),
    is_read: row.read_at !== null,
    ...(row.read_at === null ? {} : { read_at: isoOf(row.read_at) }),
    ...(row.client_id === null ? {} : { client_message_id: row.client_id }),
  };
}

export type MessageView = ReturnType<typeof messageView>;
