/** Every setting, with its default and its one line of help. The only reader of the environment. */
import { resolve } from "node:path";
import { z } from "zod";
import { parseCidrs } from "./platform/http/address.ts";
import { StartupError } from "./platform/telemetry/startup-error.ts";

const list = (separator: string) =>
  z.string().transform((text) =>
    text
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );

/** Networks; what is none is told by its name. */
const networks = z
  .string()
  .default("")
  .superRefine((text, context) => {
    try {
      parseCidrs(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "not valid" });
    }
  });

const settings = {
  HOST: z.string().min(1).default("0.0.0.0").describe("Address to listen on"),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8000)
    .describe("Port to listen on; 0 takes a free one"),
  DATA_DIR: z
    .string()
    .min(1)
    .default("./data")
    .describe("Directory of the database, keys and unpacked files"),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe("External PostgreSQL 14 or newer, instead of the embedded one"),
  DATABASE_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(2)
    .max(80)
    .default(10)
    .describe("Connections of each pool"),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("Least severe level that is logged"),
  TRUSTED_PROXIES: networks.describe("Proxies whose X-Forwarded-For counts (CIDR list, comma-separated)"),
  CORS_ORIGINS: list(",")
    .default([])
    .describe("Web origins that may call the API (comma-separated); none by default"),
  RATE_LIMITS: z.enum(["on", "off"]).default("on").describe("off: no rate limits (load tests)"),
  JWT_SECRET: z
    .string()
    .min(32)
    .optional()
    .describe("Key of the tokens, 32 or more characters; made once when not given"),
  JWT_SECRET_PREVIOUS: z
    .string()
    .min(32)
    .optional()
    .describe("Key of the tokens before JWT_SECRET was changed: those that it signed stay good"),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .optional()
    .describe("Redis that several servers share their rate limits in"),
  ADMIN_USER: z
    .string()
    .min(1)
    .max(150)
    .optional()
    .describe("Administrator that is made, or made one again, at start"),
  ADMIN_PASS: z.string().min(1).max(1024).optional().describe("Password of ADMIN_USER"),
  REGISTRATION: z
    .enum(["open", "closed"])
    .default("open")
    .describe("Whether anybody may register; closed: nobody"),
  PASSWORD_POLICY: z
    .enum(["documented", "strict"])
    .default("documented")
    .describe("strict: 12 characters or more and no common password, everywhere"),
  COLLECTOR_AUTH: z
    .enum(["local", "required", "off"])
    .default("local")
    .describe("Who may collect: local (this machine without, others with a credential), required, off"),
  COLLECTOR_SOURCES: list(":")
    .default([])
    .describe("Directories that may be collected from (separated by :); any by default"),
  COLLECTOR_TARGETS: list(":")
    .default([])
    .describe("Directories that may be collected into (separated by :); any by default"),
  COLLECTOR_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe("Collecting jobs that run at once"),
  COLLECTOR_JOB_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3650)
    .default(30)
    .describe("Days that a finished job is remembered"),
  EMAIL_ATTACHMENT_LIMIT: z.coerce
    .number()
    .int()
    .min(0)
    .default(10 * 1024 * 1024)
    .describe("Largest archive that is mailed, in bytes; a larger one is told by its path"),
  ADMIN_IP: networks
    .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ""))
    .describe("Administrators' addresses (comma-separated): never blocked, always on the Logger's whitelist"),
  LOGGER_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(0)
    .max(36_500)
    .default(0)
    .describe("Days that logs are kept at most; 0: for ever. Projects may keep theirs for a shorter time"),
  PING_ALLOW: networks.describe("Networks that may be watched although they are denied by default"),
  PING_DENY: networks.describe("Networks that may not be watched (CIDR list)"),
  BOT_API_KEY: z.string().min(1).optional().describe("Token of the Telegram bot"),
  BOT_URL: z.url().optional().describe("Public link to the Telegram bot"),
  TELEGRAM_API_ROOT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Another Bot API server than Telegram's own"),
  SMTP_HOST: z.string().min(1).optional().describe("Mail server for alerts"),
  SMTP_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .default(587)
    .describe("Its port; 465 means TLS at once"),
  SMTP_USER: z.string().min(1).optional().describe("User at the mail server"),
  SMTP_PASSWORD: z.string().min(1).optional().describe("Password at the mail server; sent over TLS alone"),
  SMTP_FROM: z.email().optional().describe("Sender of alerts; SMTP_USER by default"),
  SMTP_VERIFY: z
    .enum(["on", "off"])
    .default("on")
    .describe("off: the mail server's certificate need not be valid"),
  MESSENGER_MAX_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(10)
    .describe("Live connections of one user to one server"),
  PIPELINES_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe("Pipelines that run at once"),
  PIPELINES_FILE_ROOTS: list(":")
    .default([])
    .describe("Directories whose files pipelines may read and write (separated by :); none by default"),
  ENCRYPTION_KEY: z
    .string()
    .min(32)
    .optional()
    .describe("Key that seals stored passwords, 32 or more characters; made once when not given"),
} satisfies Record<string, z.ZodType>;

type Settings = { [Name in keyof typeof settings]: z.output<(typeof settings)[Name]> };

/** The settings of one run: made once, passed in, never changed. Paths are absolute. */
export interface Config {
  host: string;
  port: number;
  dataDirectory: string;
  databaseUrl: string | null;
  databaseConnections: number;
  logLevel: string;
  trustedProxies: string;
  corsOrigins: string[];
  rateLimits: boolean;
  jwtSecret: string | null;
  jwtSecretPrevious: string | null;
  encryptionKey: string | null;
  redisUrl: string | null;
  registration: "open" | "closed";
  passwordPolicy: "documented" | "strict";
  admin: { username: string; password: string } | null;
  collector: {
    auth: "local" | "required" | "off";
    sources: string[];
    targets: string[];
    concurrency: number;
    retentionDays: number;
    attachmentLimit: number;
  };
  logger: {
    adminIps: string[];
    retentionDays: number;
    pingAllow: string;
    pingDeny: string;
    telegram: { token: string | null; url: string | null; apiRoot: string | null };
    /** Null: no mail server. */
    smtp: {
      host: string;
      port: number;
      user: string | null;
      password: string | null;
      from: string;
      tls: boolean;
      verifyCertificate: boolean;
    } | null;
  };
  messenger: { maxConnections: number };
  pipelines: { concurrency: number; fileRoots: string[] };
}

/**
 * Reads the settings: `flags`, named like the variables, win over `environment`. Throws StartupError that names the first
 * bad one.
 */
export function readConfig(
  flags: Partial<Record<keyof typeof settings, string>> = {},
  environment: Record<string, string | undefined> = process.env,
): Config {
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(settings)) {
    const given = flags[name as keyof typeof settings] ?? environment[name];
    const parsed = schema.safeParse(given === "" ? undefined : given);
    if (!parsed.success) throw new StartupError(`${name}: ${parsed.error.issues[0]?.message ?? "not valid"}`);
    values[name] = parsed.data;
  }
  return toConfig(values as Settings);
}

function toConfig(s: Settings): Config {
  return {
    host: s.HOST,
    port: s.PORT,
    dataDirectory: resolve(s.DATA_DIR),
    databaseUrl: s.DATABASE_URL ?? null,
    databaseConnections: s.DATABASE_CONNECTIONS,
    logLevel: s.LOG_LEVEL,
    trustedProxies: s.TRUSTED_PROXIES,
    corsOrigins: s.CORS_ORIGINS,
    rateLimits: s.RATE_LIMITS === "on",
    jwtSecret: s.JWT_SECRET ?? null,
    jwtSecretPrevious: s.JWT_SECRET_PREVIOUS ?? null,
    encryptionKey: s.ENCRYPTION_KEY ?? null,
    redisUrl: s.REDIS_URL ?? null,
    registration: s.REGISTRATION,
    passwordPolicy: s.PASSWORD_POLICY,
    admin: adminOf(s),
    collector: {
      auth: s.COLLECTOR_AUTH,
      sources: s.COLLECTOR_SOURCES.map((path) => resolve(path)),
      targets: s.COLLECTOR_TARGETS.map((path) => resolve(path)),
      concurrency: s.COLLECTOR_CONCURRENCY,
      retentionDays: s.COLLECTOR_JOB_RETENTION_DAYS,
      attachmentLimit: s.EMAIL_ATTACHMENT_LIMIT,
    },
    logger: {
      adminIps: s.ADMIN_IP,
      retentionDays: s.LOGGER_RETENTION_DAYS,
      pingAllow: s.PING_ALLOW,
      pingDeny: s.PING_DENY,
      telegram: {
        token: s.BOT_API_KEY ?? null,
        url: s.BOT_URL ?? null,
        apiRoot: s.TELEGRAM_API_ROOT?.replace(/\/+$/, "") ?? null,
      },
      smtp: smtpOf(s),
    },
    messenger: { maxConnections: s.MESSENGER_MAX_CONNECTIONS },
    pipelines: {
      concurrency: s.PIPELINES_CONCURRENCY,
      fileRoots: s.PIPELINES_FILE_ROOTS.map((path) => resolve(path)),
    },
  };
}

function adminOf({ ADMIN_USER: username, ADMIN_PASS: password }: Settings): Config["admin"] {
  if (username !== undefined && password !== undefined) return { username, password };
  if (username === undefined && password === undefined) return null;
  throw new StartupError(
    `${username === undefined ? "ADMIN_USER" : "ADMIN_PASS"}: the other of the two is given`,
  );
}

const implicitTlsPort = 465;

function smtpOf(s: Settings): Config["logger"]["smtp"] {
  if (s.SMTP_HOST === undefined) return null;
  const from = s.SMTP_FROM ?? s.SMTP_USER;
  if (from === undefined)
    throw new StartupError("SMTP_FROM: needed with SMTP_HOST, unless SMTP_USER is an address");
  return {
    host: s.SMTP_HOST,
    port: s.SMTP_PORT,
    user: s.SMTP_USER ?? null,
    password: s.SMTP_PASSWORD ?? null,
    from,
    tls: s.SMTP_PORT === implicitTlsPort,
    verifyCertificate: s.SMTP_VERIFY === "on",
  };
}
