/** Where a server is and who we are there, as a connector's document says it. */
import { z } from "zod";
import { ConnectorError, type ConnectorOptions } from "../connector.ts";
import type { SessionOptions } from "./login.ts";

/** What a connector needs to open sessions. */
export interface PostgresqlOptions {
  session: SessionOptions;
  /** Where names without a schema are looked for; null: as the server is set up. */
  schema: string | null;
  /** What is read or written when a request names no table. */
  table: string | null;
}

const config = z.object({
  host: z.string().min(1),
  port: z.coerce.number().int().min(1).max(65_535).default(5432),
  database: z.string().min(1),
  schema: z.string().min(1).nullish(),
  ssl_mode: z.enum(["disable", "prefer", "require", "verify-ca", "verify-full"]).default("prefer"),
  /** Certificates in PEM, in place of the system's. */
  ssl_root_cert: z.string().min(1).nullish(),
  table: z.string().min(1).nullish(),
});

const credentials = z.object({ username: z.string().min(1), password: z.string().default("") });

/** Reads a connector's options; `prefer` is the default, as libpq's. Throws `ConnectorError` with code `refused`, naming the fields only. */
export function readOptions(options: ConnectorOptions): PostgresqlOptions {
  const where = config.safeParse(options.config);
  const who = credentials.safeParse(options.credentials);
  if (!where.success || !who.success) {
    const issues = [...(where.error?.issues ?? []), ...(who.error?.issues ?? [])];
    const fields = new Set(issues.map(({ path }) => path.join(".")));
    throw new ConnectorError("refused", `missing or not valid: ${[...fields].join(", ")}`);
  }
  const { host, port, database, schema, ssl_mode, ssl_root_cert, table } = where.data;
  const { username, password } = who.data;
  return {
    session: {
      host,
      port,
      database,
      sslMode: ssl_mode,
      rootCertificate: ssl_root_cert ?? null,
      user: username,
      password,
    },
    schema: schema ?? null,
    table: table ?? null,
  };
}
