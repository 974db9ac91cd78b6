import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";

/** Logger's rows. The logs themselves are partitioned by day, which Drizzle has no words for: their table stands in a migration of its own. */
export const loggerSchema = pgSchema("logger");

const time = (name: string) => timestamp(name, { withTimezone: true });
const identity = () => integer("id").primaryKey().generatedAlwaysAsIdentity();

/** Whom a project tells in Telegram; `antiSpamInterval` in minutes. */
export interface TelegramNotify {
  enabled: boolean;
  recipients: { chatId: string; tags: string[] }[];
  antiSpamInterval: number;
}

export interface EmailNotify {
  enabled: boolean;
  recipients: { email: string; tags: string[] }[];
}

/** The secret is sealed. */
export interface WebhookNotify {
  enabled: boolean;
  url: string;
  secret: string | null;
  tags: string[];
}

export const projects = loggerSchema.table("projects", {
  id: identity(),
  uuid: text("uuid").notNull().unique().default(sql`gen_random_uuid()::text`),
  name: text("name").notNull(),
  description: text("description").notNull().default(""),
  logFormat: jsonb("log_format").$type<Record<string, unknown>>().notNull().default({}),
  defaultTags: text("default_tags").array().notNull(),
  customTags: text("custom_tags").array().notNull(),
  accessLevel: text("access_level", { enum: ["global", "whitelist", "docker"] })
    .notNull()
    .default("global"),
  telegramNotify: jsonb("telegram_notify").$type<TelegramNotify>().notNull(),
  emailNotify: jsonb("email_notify").$type<EmailNotify>().notNull(),
  webhookNotify: jsonb("webhook_notify").$type<WebhookNotify | null>(),
  debugMode: boolean("debug_mode").notNull().default(false),
  /** 0: no cap. */
  maxLogEntries: integer("max_log_entries").notNull().default(0),
  /** 0: for ever. */
  retentionDays: integer("retention_days").notNull().default(0),
  /** How many logs there are; kept only where there is a cap. */
  entries: bigint("entries", { mode: "number" }),
  createdAt: time("created_at").notNull().defaultNow(),
  updatedAt: time("updated_at").notNull().defaultNow(),
});

export type ProjectRow = typeof projects.$inferSelect;

export const pingStatuses = ["ok", "degraded", "down", "unknown"] as const;

/** What is watched. `claimedUntil` keeps two instances, and two checks, from meeting. */
export const pingServices = loggerSchema.table(
  "ping_services",
  {
    id: identity(),
    projectId: integer("project_id")
      .notNull()
      .references(() => projects.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    url: text("url").notNull(),
    /** Seconds. */
    interval: integer("interval").notNull(),
    telegramTags: text("telegram_tags").array().notNull(),
    lastStatus: text("last_status", { enum: pingStatuses }),
    lastCheckedAt: time("last_checked_at"),
    lastResponseTimeMs: integer("last_response_time_ms"),
    lastError: text("last_error"),
    certificateExpiresAt: time("certificate_expires_at"),
    /** The fewest days before expiry that were announced for this certificate. */
    certificateAnnounced: integer("certificate_announced"),
    failures: integer("failures").notNull().default(0),
    /** Announced as down, and not yet as up again. */
    isDown: boolean("is_down").notNull().default(false),
    nextCheckAt: time("next_check_at").notNull(),
    claimedUntil: time("claimed_until"),
    createdAt: time("created_at").notNull().defaultNow(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (table) => [
    index("ping_services_project").on(table.projectId),
    index("ping_services_due").on(table.nextCheckAt),
  ],
);

export type PingRow = typeof pingServices.$inferSelect;

/** Checks of five minutes by outcome: what uptime is computed from. Minutes without a row are not known. */
export const pingBuckets = loggerSchema.table(
  "ping_buckets",
  {
    serviceId: integer("service_id")
      .notNull()
      .references(() => pingServices.id, { onDelete: "cascade" }),
    start: time("start").notNull(),
    ok: integer("ok").notNull(),
    degraded: integer("degraded").notNull(),
    down: integer("down").notNull(),
    unknown: integer("unknown").notNull(),
    totalMs: bigint("total_ms", { mode: "number" }).notNull(),
    mostMs: integer("most_ms").notNull(),
  },
  (table) => [primaryKey({ columns: [table.serviceId, table.start] })],
);

/** Changes of a service's state. */
export const pingEvents = loggerSchema.table(
  "ping_events",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    serviceId: integer("service_id")
      .notNull()
      .references(() => pingServices.id, { onDelete: "cascade" }),
    at: time("at").notNull(),
    status: text("status", { enum: pingStatuses }).notNull(),
    error: text("error"),
  },
  (table) => [index("ping_events_service").on(table.serviceId, table.at)],
);

export const whitelist = loggerSchema.table("whitelist", {
  id: identity(),
  ip: text("ip").notNull().unique(),
  description: text("description").notNull().default(""),
  createdAt: time("created_at").notNull().defaultNow(),
});

export const blacklist = loggerSchema.table("blacklist", {
  id: identity(),
  ip: text("ip").notNull().unique(),
  reason: text("reason").notNull(),
  expiresAt: time("expires_at"),
  createdAt: time("created_at").notNull().defaultNow(),
  updatedAt: time("updated_at").notNull().defaultNow(),
});

export const settings = loggerSchema.table("settings", {
  key: text("key").primaryKey(),
  value: jsonb("value").notNull(),
});

/** What is to be told to whom. A row goes once it was delivered, or given up. */
export const outbox = loggerSchema.table(
  "outbox",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    projectId: integer("project_id")
      .notNull()
      .references(() => projects.id, { onDelete: "cascade" }),
    channel: text("channel", { enum: ["telegram", "email", "webhook"] }).notNull(),
    recipient: text("recipient").notNull(),
    /** What happened, as `Notice` in `alerts/notice.ts`. */
    notice: jsonb("notice").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: time("next_attempt_at").notNull().defaultNow(),
    claimedUntil: time("claimed_until"),
  },
  (table) => [index("outbox_due").on(table.channel, table.recipient, table.id)],
);

/** When somebody was last told of a tag, and how much was not told since. */
export const alertMarks = loggerSchema.table(
  "alert_marks",
  {
    projectId: integer("project_id")
      .notNull()
      .references(() => projects.id, { onDelete: "cascade" }),
    channel: text("channel").notNull(),
    recipient: text("recipient").notNull(),
    tag: text("tag").notNull(),
    toldAt: time("told_at").notNull(),
    suppressed: integer("suppressed").notNull().default(0),
  },
  (table) => [uniqueIndex("alert_marks_key").on(table.projectId, table.channel, table.recipient, table.tag)],
);
