/** What comes in: `specs/logger.md`. Logs themselves are checked by hand, in `ingest/log-input.ts`. */
import { z } from "zod";
import { filterFields, pageFields } from "./search/filters.ts";

const tags = z.array(z.string().min(1).max(128)).max(200);
const shortText = z.string().max(10_000);

export const credentials = z.object({
  username: z.string().min(1).max(1024),
  password: z.string().min(1).max(1024),
});

const telegramNotify = z.object({
  enabled: z.boolean().default(false),
  recipients: z
    .array(z.object({ chatId: z.coerce.string().min(1).max(64), tags: tags.default([]) }))
    .max(1000)
    .default([]),
  antiSpamInterval: z.int().min(0).max(10_080).default(15).describe("Minutes"),
});

const emailNotify = z.object({
  enabled: z.boolean().default(false),
  recipients: z
    .array(z.object({ email: z.email(), tags: tags.default([]) }))
    .max(1000)
    .default([]),
});

const webhookNotify = z.object({
  enabled: z.boolean().default(true),
  url: z.url({ protocol: /^https?$/ }).max(2000),
  secret: z.string().min(1).max(1000).nullish().describe("Signs what is sent; never shown again"),
  tags: tags.default([]),
});

const projectFields = {
  description: shortText,
  logFormat: z.record(z.string(), z.unknown()),
  defaultTags: tags,
  customTags: tags,
  accessLevel: z.enum(["global", "whitelist", "docker"]),
  telegramNotify,
  emailNotify,
  webhookNotify: webhookNotify.nullable(),
  debugMode: z.boolean(),
  maxLogEntries: z.int().min(0).max(2_000_000_000).describe("0: no cap"),
  retentionDays: z.int().min(0).max(36_500).describe("0: for ever"),
};

const name = z.string().trim().min(3).max(200);

export const newProject = z
  .object({ name, ...projectFields })
  .partial()
  .required({ name: true });

export const projectChanges = z.object({ name, ...projectFields, uuid: z.string() }).partial();

export type ProjectChanges = z.output<typeof projectChanges>;

export const newPing = z.object({
  name: z.string().trim().min(2).max(200),
  url: z.string().min(1).max(2000),
  interval: z.int().min(5).max(3600).default(60).describe("Seconds"),
  telegramTags: tags.default([]),
});

export const pingChanges = z
  .object({ ...newPing.shape, interval: z.int().min(5).max(3600), telegramTags: tags })
  .partial();

export const pingCheck = z.object({ serviceId: z.string().nullish() }).nullish();

export const searchQuery = z.strictObject({ ...filterFields, ...pageFields });

export const logsQuery = z.strictObject({
  uuid: z.string({ error: "Обязательный параметр" }).min(1).max(100),
  ...filterFields,
  ...pageFields,
});

const step = z.enum(["1m", "5m", "15m", "1h", "6h", "1d"]);

export const histogramQuery = z.strictObject({ ...filterFields, interval: step.optional() });

export const stepSeconds: Record<z.output<typeof step>, number> = {
  "1m": 60,
  "5m": 300,
  "15m": 900,
  "1h": 3600,
  "6h": 21_600,
  "1d": 86_400,
};

export const facetsQuery = z.strictObject({
  ...filterFields,
  top: z.coerce.number().int().min(1).max(100).default(10),
});

export const exportQuery = z.strictObject({
  ...filterFields,
  format: z.enum(["ndjson", "csv"]).default("ndjson"),
});

export const whitelistEntry = z.object({
  ip: z.string().min(1).max(64),
  description: z.string().max(1000).nullish(),
});

const expiresAt = z
  .string()
  .refine((value) => !Number.isNaN(Date.parse(value)), "Некорректная дата, ожидается ISO 8601")
  .transform((value) => new Date(value))
  .nullish();

export const newBlock = z.object({
  ip: z.string().min(1).max(64),
  reason: z.string().trim().min(1).max(1000),
  expiresAt,
});

export const blockChanges = newBlock.partial();

export const rateLimit = z.object({ rateLimitPerMinute: z.int().min(1).max(1_000_000) });

const logFields = z.object({
  level: z.string(),
  message: z.string(),
  tags: z.array(z.string()).optional(),
  timestamp: z.string().optional().describe("ISO 8601; now, when left out"),
  metadata: z
    .looseObject({
      ip: z.string().optional(),
      service: z.string().optional(),
      user: z.string().optional(),
      extra: z.unknown().optional(),
    })
    .optional(),
});

/** What the documentation says of a log that comes in. */
export const newLog = z.object({ uuid: z.string(), log: logFields });

/** What the documentation says of a batch. */
export const logBatch = z.union([
  z.array(logFields),
  z.object({ uuid: z.string().optional(), logs: z.array(logFields).max(10_000) }),
]);

/** What the documentation says of a log that was stored. */
export const storedLog = z
  .object({
    _id: z.string(),
    projectUuid: z.string(),
    ...logFields.required().shape,
    clientIP: z.string(),
    rateLimitPerMinute: z.int(),
  })
  .describe("Stored");

/** What the documentation says of the answer to a batch. */
export const batchOutcome = z
  .object({
    message: z.string(),
    accepted: z.int(),
    refused: z.int(),
    errors: z.array(z.looseObject({ index: z.int(), message: z.string() })),
  })
  .describe("What became of the logs");

/** A failure as the Logger tells it. */
export const failure = z.object({
  message: z.string(),
  code: z.string().optional(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});

/** Answers that are described, not checked: they are made by one function each. */
export const anything = z.any();
