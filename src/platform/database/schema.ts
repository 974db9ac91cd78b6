import { customType, pgSchema } from "drizzle-orm/pg-core";

/** The PostgreSQL schema of what the platform itself keeps; each service has one of its own name. */
export const platformSchema = pgSchema("platform");

/** `bytea` as a Buffer. */
export const bytes = customType<{ data: Buffer }>({ dataType: () => "bytea" });
