/** The table of settings: each with its default and its one line of help. */
import { z } from "zod";
import { parseCidrs } from "./platform/http/address.ts";

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

/** Every variable of the environment that is a setting. */
export const settings = {
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
  PIPELINES_RUN_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(365)
    .describe("Days that ended runs and their logs are kept; a pipeline's last run always is"),
  PIPELINES_FILE_ROOTS: list(":")
    .default([])
    .describe("Directories whose files pipelines may read and write (separated by :); none by default"),
  AIRFLOW_DAGS_DIR: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Directory of Airflow's DAG files: deployed pipelines are written there, and Airflow keeps their schedules",
    ),
  AIRFLOW_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Airflow's web server, with AIRFLOW_DAGS_DIR: runs and cancellations go through its REST API"),
  AIRFLOW_USER: z.string().min(1).optional().describe("User at Airflow"),
  AIRFLOW_PASSWORD: z.string().min(1).optional().describe("Password at Airflow"),
  ENCRYPTION_KEY_PREVIOUS: z
    .string()
    .min(32)
    .optional()
    .describe("Key before ENCRYPTION_KEY was changed: what it sealed is sealed anew at start"),
  ENCRYPTION_KEY: z
    .string()
    .min(32)
    .optional()
    .describe("Key that seals stored passwords, 32 or more characters; made once when not given"),
} satisfies Record<string, z.ZodType>;

/** Their values. */
export type Settings = { [Name in keyof typeof settings]: z.output<(typeof settings)[Name]> };
