import { bigint, boolean, index, integer, jsonb, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { bytes, platformSchema } from "../database/schema.ts";
import { roles } from "./roles.ts";

/** API keys of machines. The key itself is shown once and never stored: only its SHA-256. */
export const apiKeys = platformSchema.table("api_keys", {
  name: text("name").primaryKey(),
  hash: bytes("hash").notNull().unique(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});

/** Who the users are. A service that keeps rows of theirs refers to `accounts.id`. */
export const identitySchema = pgSchema("identity");

/** A sealed form, by which a server finds out whether it has the key that secrets here are sealed under. */
export const sealingCheck = identitySchema.table("sealing_check", {
  id: integer("id").primaryKey().default(1),
  form: text("form").notNull(),
});

const time = (name: string) => timestamp(name, { withTimezone: true });

export const accounts = identitySchema.table("accounts", {
  id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
  username: text("username").notNull(),
  /** The name in small letters, by which it is unique; null once the account is deleted and the name is free again. */
  usernameKey: text("username_key").unique(),
  email: text("email"),
  emailKey: text("email_key").unique(),
  fullName: text("full_name"),
  /** Argon2id in PHC form; null when nobody can log in any more. */
  passwordHash: text("password_hash"),
  role: text("role", { enum: roles }).notNull().default("analyst"),
  isActive: boolean("is_active").notNull().default(true),
  createdAt: time("created_at").notNull().defaultNow(),
  updatedAt: time("updated_at").notNull().defaultNow(),
  lastLogin: time("last_login"),
  lastSeen: time("last_seen"),
  /** Anonymised, because other rows refer to it. */
  deletedAt: time("deleted_at"),
});

export type AccountRow = typeof accounts.$inferSelect;

/** One login. It ends by logout, by a change of its account, by reuse of a refresh token, or when its time is over. */
export const sessions = identitySchema.table(
  "sessions",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    accountId: integer("account_id")
      .notNull()
      .references(() => accounts.id, { onDelete: "cascade" }),
    surface: text("surface").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [index("sessions_account").on(table.accountId), index("sessions_expiry").on(table.expiresAt)],
);

/** Refresh tokens by their SHA-256. A used one is kept as long as its session: seen again, it ends the session. */
export const refreshTokens = identitySchema.table(
  "refresh_tokens",
  {
    hash: bytes("hash").primaryKey(),
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id, { onDelete: "cascade" }),
    usedAt: time("used_at"),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [index("refresh_tokens_session").on(table.sessionId)],
);

/** Failed logins in a row by whom they are counted against. */
export const loginFailures = identitySchema.table("login_failures", {
  key: text("key").primaryKey(),
  failures: integer("failures").notNull(),
  /** When the first of them was. */
  since: time("since").notNull(),
  lockedUntil: time("locked_until"),
});

/** What happened to accounts. Rows outlive the accounts that they tell of. */
export const audit = identitySchema.table(
  "audit",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: time("at").notNull().defaultNow(),
    event: text("event").notNull(),
    /** Whose account it is; null when the name is nobody's. */
    accountId: integer("account_id"),
    /** Who did it. */
    actorId: integer("actor_id"),
    username: text("username"),
    address: text("address"),
    details: jsonb("details"),
  },
  (table) => [index("audit_account").on(table.accountId, table.id)],
);
