/** The database of a test server, looked into from outside; or one without a server. */
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { unpackAssets } from "../../src/platform/assets/assets.ts";
import { type OpenedDatabase, openMigrated } from "../../src/platform/database/open.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { freshDataDirectory } from "./server.ts";

/** A connection to the embedded database below a data directory. */
export const openEmbedded = (dataDirectory: string): Bun.SQL =>
  new Bun.SQL({
    adapter: "postgres",
    path: join(dataDirectory, "postgres/run/.s.PGSQL.5432"),
    username: "quintet",
    database: "quintet",
  });

/** A migrated database of its own, opened as a server opens it. */
export async function openCopy(): Promise<OpenedDatabase> {
  const dataDirectory = await freshDataDirectory();
  const config = readConfig({}, { DATA_DIR: dataDirectory });
  return await openMigrated(config, await unpackAssets(dataDirectory), createLog("silent"));
}
