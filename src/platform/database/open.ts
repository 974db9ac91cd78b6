/** The database of one server: embedded or external, migrated, open. */
import type { Config } from "../../config.ts";
import { type Runtime, unpackOnDemand } from "../assets/assets.ts";
import type { Log } from "../telemetry/log.ts";
import {
  bootstrapEmbedded,
  checkExternal,
  type Database,
  type DatabaseAddress,
  embeddedAddress,
  openDatabase,
} from "./connect.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
import { migrateDatabase, requireSchema } from "./migrate.ts";

export interface OpenedDatabase extends Database {
  /** Null when the database is an external one. */
  embedded: EmbeddedPostgres | null;
  /** Closes the connections, then stops the embedded server. */
  close(): Promise<void>;
}

/** Brings the database up to this program's schema. Throws StartupError with one line when it cannot be had. */
export async function openMigrated(config: Config, runtime: Runtime, log: Log): Promise<OpenedDatabase> {
  const embedded = config.databaseUrl
    ? null
    : await startEmbeddedPostgres({ dataDirectory: config.dataDirectory, programs: runtime.postgres, log });
  try {
    const address: DatabaseAddress = embedded
      ? embeddedAddress(embedded.socketDirectory)
      : { url: config.databaseUrl ?? "" };
    if (embedded) await bootstrapEmbedded(embedded.socketDirectory);
    else await checkExternal(address);
    await migrateDatabase(address, runtime.migrations);
    const database = openDatabase(address, config.databaseConnections);
    return {
      ...database,
      embedded,
      async close() {
        await database.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/**
 * Opens the external database of a server that is elsewhere, as it is. Throws StartupError with one line when it cannot be had, or has not this program's
 * schema.
 */
export async function openAsItIs(url: string, config: Config): Promise<Database> {
  const address: DatabaseAddress = { url };
  await checkExternal(address);
  await requireSchema(address, await unpackOnDemand(config.dataDirectory, "migrations"));
  return openDatabase(address, config.databaseConnections);
}
