import { text, timestamp } from "drizzle-orm/pg-core";
import { bytes, platformSchema } from "../database/schema.ts";

/** API keys of machines. The key itself is shown once and never stored: only its SHA-256. */
export const apiKeys = platformSchema.table("api_keys", {
  name: text("name").primaryKey(),
  hash: bytes("hash").notNull().unique(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});
