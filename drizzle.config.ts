import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: ["./src/platform/database/schema.ts", "./src/platform/*/tables.ts", "./src/services/*/tables.ts"],
  out: "./src/platform/database/migrations",
  migrations: { schema: "migrations", table: "applied" },
});
