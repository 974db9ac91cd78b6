import { sql } from "drizzle-orm";
import { boolean, index, integer, jsonb, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { platformSchema } from "../database/schema.ts";

/** Every durable job of every service, waiting, running or over. */
export const jobs = platformSchema.table(
  "jobs",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    kind: text("kind").notNull(),
    status: text("status", { enum: ["pending", "running", "completed", "failed", "cancelled"] })
      .notNull()
      .default("pending"),
    payload: jsonb("payload").notNull(),
    progress: jsonb("progress"),
    result: jsonb("result"),
    error: text("error"),
    /** How often it was started; a job that takes the server down each time must come to an end. */
    attempt: integer("attempt").notNull().default(0),
    /** The node that runs it, until `lease_until`; after that any node may take it over. */
    leaseOwner: text("lease_owner"),
    leaseUntil: timestamp("lease_until", { withTimezone: true }),
    cancelRequested: boolean("cancel_requested").notNull().default(false),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    startedAt: timestamp("started_at", { withTimezone: true }),
    finishedAt: timestamp("finished_at", { withTimezone: true }),
  },
  (table) => [
    index("jobs_open").on(table.kind, table.createdAt).where(sql`status in ('pending', 'running')`),
    index("jobs_newest").on(table.kind, table.createdAt),
  ],
);

export type JobRow = typeof jobs.$inferSelect;
