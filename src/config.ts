/** The settings of one run, as the parts of the program take them. The only reader of the environment. */
import { resolve } from "node:path";
import { StartupError } from "./platform/telemetry/startup-error.ts";
import { type Settings, settings } from "./settings.ts";

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
  encryptionKeyPrevious: string | null;
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
    smtp: SmtpSettings | null;
  };
  messenger: { maxConnections: number };
  pipelines: {
    concurrency: number;
    retentionDays: number;
    fileRoots: string[];
    airflow: AirflowSettings | null;
  };
}

/** A mail server. */
export interface SmtpSettings {
  host: string;
  port: number;
  user: string | null;
  password: string | null;
  from: string;
  /** TLS from the first byte. */
  tls: boolean;
  verifyCertificate: boolean;
}

/** An Airflow that runs deployed pipelines. */
export interface AirflowSettings {
  /** Where DAG files are written. */
  dagsDirectory: string;
  /** Its web server, without a slash at the end, and who we are there; null: it is told by the files alone. */
  api: { url: string; user: string; password: string } | null;
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
    encryptionKeyPrevious: s.ENCRYPTION_KEY_PREVIOUS ?? null,
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
      retentionDays: s.PIPELINES_RUN_RETENTION_DAYS,
      fileRoots: s.PIPELINES_FILE_ROOTS.map((path) => resolve(path)),
      airflow: airflowOf(s),
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

function smtpOf(s: Settings): SmtpSettings | null {
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

function airflowOf(s: Settings): AirflowSettings | null {
  const { AIRFLOW_DAGS_DIR: directory, AIRFLOW_URL: url, AIRFLOW_USER: user, AIRFLOW_PASSWORD: password } = s;
  if (directory === undefined) {
    if (url !== undefined) throw new StartupError("AIRFLOW_DAGS_DIR: needed with AIRFLOW_URL");
    return null;
  }
  const dagsDirectory = resolve(directory);
  if (url === undefined) return { dagsDirectory, api: null };
  if (user === undefined || password === undefined)
    throw new StartupError("AIRFLOW_USER, AIRFLOW_PASSWORD: needed with AIRFLOW_URL");
  return { dagsDirectory, api: { url: url.replace(/\/+$/, ""), user, password } };
}
