/** What comes in and goes out, named as in the Collector's document. */
import { z } from "zod";

const patternType = z.enum(["glob", "regex"], { error: "pattern_type must be 'regex' or 'glob'" });

const pattern = z.object({
  pattern: z.string().min(1).max(4096),
  pattern_type: patternType.nullish(),
});

const email = z.object({
  smtp_host: z.string().min(1),
  smtp_port: z.int().min(1).max(65_535).default(587),
  username: z.string().nullish(),
  password: z.string().nullish(),
  from_email: z.email(),
  to_email: z.email(),
  verify_certificate: z
    .boolean()
    .default(true)
    .describe("Whether the mail server's certificate must be valid"),
  use_tls: z
    .boolean()
    .nullish()
    .describe("TLS from the first byte instead of STARTTLS; on port 465 without being asked"),
});

export type EmailConfig = z.output<typeof email>;

const path = z.string().min(1).max(4096);
const patterns = z.array(z.union([z.string().min(1).max(4096), pattern])).max(1000);

export const collectRequest = z.object({
  source_paths: z.array(path).min(1).max(1000).describe("Files and directories to collect, absolute"),
  target_path: path.describe("Directory to collect into, absolute; made when missing"),
  patterns: patterns
    .nullish()
    .describe("A file is collected when any pattern matches it; all files without patterns"),
  pattern_type: patternType.nullish().describe("Type of the patterns that name none; glob by default"),
  operation_mode: z.enum(["copy", "move", "move_remove"]).default("copy"),
  create_archive: z.boolean().default(false),
  archive_format: z.enum(["zip", "tar", "7z"]).default("zip"),
  archive_compression: z.enum(["gzip", "bzip2", "xz"]).nullish().describe("Compression of a tar archive"),
  collect_system_info: z.boolean().default(true),
  email_config: email.nullish(),
  exclude: patterns.nullish().describe("Files that any of these matches are left out"),
  min_size: z.int().min(0).nullish().describe("Bytes"),
  max_size: z.int().min(0).nullish().describe("Bytes"),
  modified_since: z.iso.datetime({ offset: true }).nullish(),
  modified_before: z.iso.datetime({ offset: true }).nullish(),
  archive_only: z.boolean().default(false).describe("Leave the archive alone, without the copies beside it"),
  dry_run: z.boolean().default(false).describe("Count and list what would be collected; nothing is written"),
});

export type CollectRequest = z.output<typeof collectRequest>;

export const started = z.object({ job_id: z.uuid(), status: z.literal("started") });

/** An id that cannot even be decoded is one of no job. */
export const jobPath = z.object({ job_id: z.string().catch("") });

export const progress = z.object({
  job_id: z.uuid(),
  percentage: z.number(),
  current: z.int(),
  total: z.int(),
  current_file: z.string(),
});

export type Progress = Omit<z.output<typeof progress>, "job_id">;

export const results = z.object({
  total_files: z.int(),
  processed_files: z.int(),
  failed_files: z.int(),
  skipped_files: z.int().describe("FIFOs, sockets and devices"),
  bytes: z.int(),
  duration_seconds: z.number(),
  target_path: z.string(),
  archive_created: z.boolean(),
  archive_path: z.string().nullable(),
  pc_info_collected: z.boolean(),
  pc_info_path: z.string().nullable(),
  manifest_path: z.string().nullable(),
  warnings: z.array(z.string()),
  email_sent: z.boolean().optional().describe("Only where a mail was asked for"),
  email_error: z.string().optional(),
  dry_run: z.literal(true).optional(),
  files: z
    .array(z.object({ path: z.string(), size: z.int() }))
    .optional()
    .describe("Of a dry run"),
});

export type Results = z.output<typeof results>;

export const result = z.object({
  job_id: z.uuid(),
  status: z.enum(["completed", "failed", "cancelled"]),
  results: z.union([results, z.object({ error: z.string() })]),
});

export const cancelled = z.object({ status: z.literal("cancelled") });

export const jobList = z.object({
  total: z.int(),
  jobs: z.array(
    z.object({
      job_id: z.uuid(),
      status: z.enum(["pending", "running", "completed", "failed", "cancelled"]),
      created_at: z.string(),
      started_at: z.string().nullable(),
      finished_at: z.string().nullable(),
      source_paths: z.array(z.string()),
      target_path: z.string(),
      operation_mode: z.string(),
      progress: progress.omit({ job_id: true }),
    }),
  ),
});

export const jobListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
  status: z.enum(["pending", "running", "completed", "failed", "cancelled"]).optional(),
});

export const apiKeyRequest = z.object({ name: z.string().min(1).max(200) });
export const apiKey = z.object({ name: z.string(), api_key: z.string(), message: z.string() });
export const apiKeyList = z.array(z.object({ name: z.string(), created_at: z.string() }));

export const tokenRequest = z.object({
  user_id: z.string().min(1).max(200),
  expires_in: z
    .int()
    .gt(0)
    .max(10 * 365 * 86_400)
    .default(3600)
    .describe("Seconds"),
});

export const token = z.object({
  access_token: z.string(),
  token_type: z.literal("bearer"),
  expires_in: z.int(),
  user_id: z.string(),
});

/** A failure as the Collector tells it. */
export const failure = z.object({
  detail: z.union([
    z.string(),
    z.array(
      z.object({
        loc: z.array(z.union([z.string(), z.int()])),
        msg: z.string(),
        type: z.string(),
        ctx: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  ]),
});
