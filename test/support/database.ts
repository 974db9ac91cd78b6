/** The database of a test server, looked into from outside. */
import { join } from "node:path";

/** A connection to the embedded database below a data directory. */
export const openEmbedded = (dataDirectory: string): Bun.SQL =>
  new Bun.SQL({
    adapter: "postgres",
    path: join(dataDirectory, "postgres/run/.s.PGSQL.5432"),
    username: "quintet",
    database: "quintet",
  });
