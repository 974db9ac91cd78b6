/** Brings a database's schema to this program's version, one process at a time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import type { Sql } from "postgres";
import { StartupError } from "../telemetry/startup-error.ts";
import { type DatabaseAddress, withConnection } from "./connect.ts";

/** Where Drizzle notes what it applied; `drizzle.config.ts` names the same. */
const applied = { migrationsSchema: "migrations", migrationsTable: "applied" };

/** Any number, the same in every version: who holds this advisory lock migrates. */
const migrationLock = 5_111_900_821;

interface Journal {
  entries: { when: number }[];
}

/** Time of the newest migration that the program knows, in milliseconds; it orders schema versions. */
function newestKnown(directory: string): number {
  const journal = JSON.parse(readFileSync(join(directory, "meta/_journal.json"), "utf8")) as Journal;
  return Math.max(...journal.entries.map((entry) => entry.when));
}

async function newestApplied(sql: Sql): Promise<number> {
  const [table] = await sql`select to_regclass('migrations.applied') is not null as found`;
  if (!table?.found) return 0;
  const [row] = await sql`select max(created_at)::float8 as newest from migrations.applied`;
  return Number(row?.newest ?? 0);
}

/**
 * Applies what is missing from `directory`. Processes that start together wait for one another. Throws StartupError when the
 * schema is newer than this program: an old program must not write into it.
 */
export async function migrateDatabase(address: DatabaseAddress, directory: string): Promise<void> {
  const known = newestKnown(directory);
  await withConnection(address, async (sql) => {
    if ((await newestApplied(sql)) === known) return;
    await sql`select pg_advisory_lock(${migrationLock})`;
    if ((await newestApplied(sql)) > known)
      throw new StartupError(
        "the database was made by a newer version of quintet: start that version, or restore a backup",
      );
    await migrate(drizzle(sql), { migrationsFolder: directory, ...applied });
  });
}

/** Fails with StartupError unless a database has exactly this program's schema: whoever does not migrate must not work on another. */
export async function requireSchema(address: DatabaseAddress, directory: string): Promise<void> {
  const known = newestKnown(directory);
  const found = await withConnection(address, newestApplied);
  if (found === known) return;
  throw new StartupError(
    found === 0
      ? "the database holds nothing of quintet yet: start a server on it first"
      : `the database was made by ${found > known ? "a newer" : "an older"} version of quintet: use the version of its server`,
  );
}
