import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { bytes } from "../../platform/database/schema.ts";
import { accounts } from "../../platform/identity/tables.ts";

/**
 * Messenger's rows. Accounts that conversations refer to are anonymised when they are deleted, so that nobody's history breaks. What belongs to
 * a conversation's members by construction has no foreign keys of its own: they would double the cost of a message.
 */
export const messengerSchema = pgSchema("messenger");

const time = (name: string) => timestamp(name, { withTimezone: true });
const account = (name: string) => integer(name).references(() => accounts.id);
const serial = (name: string) => bigint(name, { mode: "number" });

/** Where messages are said. Today each has two members, the smaller id first; who talks to himself is both. */
export const conversations = messengerSchema.table(
  "conversations",
  {
    id: serial("id").primaryKey().generatedAlwaysAsIdentity(),
    first: account("first_id").notNull(),
    second: account("second_id").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
  },
  (table) => [
    unique("conversations_pair").on(table.first, table.second),
    index("conversations_second").on(table.second),
    check("conversations_order", sql`${table.first} <= ${table.second}`),
  ],
);

/** Times are microseconds apart at least, for each member: they page without loss or repeat. */
export const messages = messengerSchema.table(
  "messages",
  {
    id: serial("id").primaryKey().generatedAlwaysAsIdentity(),
    conversationId: serial("conversation_id")
      .notNull()
      .references(() => conversations.id),
    sender: integer("sender_id").notNull(),
    receiver: integer("receiver_id").notNull(),
    type: text("type", { enum: ["text", "image"] }).notNull(),
    /** Empty for an image, whose bytes lie apart. */
    content: text("content").notNull(),
    fileName: text("file_name"),
    fileSize: integer("file_size"),
    at: time("at").notNull(),
    readAt: time("read_at"),
    deletedAt: time("deleted_at"),
    /** What the sender calls it: sent twice under one name, it is one message. */
    clientId: text("client_id"),
    /** The login that it was sent with, whose own connections need not be told of it. */
    sessionId: uuid("session_id"),
  },
  (table) => [
    uniqueIndex("messages_client_id").on(table.sender, table.clientId).where(sql`client_id is not null`),
    index("messages_conversation").on(table.conversationId, table.at),
    index("messages_unread")
      .on(table.receiver, table.sender)
      .where(sql`read_at is null and deleted_at is null`),
    // Rows lie in the order of their times: a few bytes for every hundred pages are enough to find a day.
    index("messages_at").using("brin", table.at),
  ],
);

/** Bytes of images, away from the messages that every list reads. */
export const images = messengerSchema.table("images", {
  messageId: serial("message_id")
    .primaryKey()
    .references(() => messages.id, { onDelete: "cascade" }),
  mediaType: text("media_type").notNull(),
  /** What stood before the base64: `data:image/png;base64,`, or nothing. */
  prefix: text("prefix").notNull(),
  bytes: bytes("bytes").notNull(),
  /** The base64 as it came, where it is not what the bytes make. */
  encoded: text("encoded"),
});

/** One row an account: whoever holds it locked gives out its next numbers. */
export const inboxes = messengerSchema.table("inboxes", {
  accountId: integer("account_id")
    .primaryKey()
    .references(() => accounts.id, { onDelete: "cascade" }),
  lastSeq: serial("last_seq").notNull().default(0),
  /** Time of the last message to or from the account. */
  lastAt: time("last_at").notNull().defaultNow(),
  /** Counts changes between online and offline, so that news of them that come late are known as such. */
  presenceVersion: integer("presence_version").notNull().default(0),
});

/** What an account is told, numbered without a gap in the order of commits. */
export const deliveries = messengerSchema.table(
  "deliveries",
  {
    accountId: integer("account_id").notNull(),
    seq: serial("seq").notNull(),
    /** 1: a message; 2: its deletion; 3: it, and what came before it from the same sender, was read. */
    kind: smallint("kind").notNull(),
    messageId: serial("message_id").notNull(),
    /** What the message itself does not tell: who deleted it, how many were read. */
    details: jsonb("details").$type<Record<string, unknown>>(),
  },
  (table) => [primaryKey({ columns: [table.accountId, table.seq] })],
);

/** Servers that are alive. */
export const instances = messengerSchema.table("instances", {
  id: uuid("id").primaryKey(),
  seenAt: time("seen_at").notNull().defaultNow(),
});

/** Who is connected to which server. */
export const presence = messengerSchema.table(
  "presence",
  {
    accountId: integer("account_id")
      .notNull()
      .references(() => accounts.id, { onDelete: "cascade" }),
    instanceId: uuid("instance_id")
      .notNull()
      .references(() => instances.id, { onDelete: "cascade" }),
  },
  (table) => [primaryKey({ columns: [table.accountId, table.instanceId] })],
);
