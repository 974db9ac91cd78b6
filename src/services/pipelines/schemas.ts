/** What comes in and goes out: `specs/pipelines.md`. */
import { z } from "zod";
import { definition, options, record, timezone } from "./definition.ts";
import { pipelineStatuses, runStatuses } from "./tables.ts";

/** A NUL is nothing that a text of the database can hold. */
const text = (least: number, most: number) =>
  z
    .string()
    .min(least)
    .max(most)
    .refine((value) => !value.includes("\0") && value.isWellFormed(), "characters that cannot be stored");

const id = z.union([z.string().min(1).max(50), z.int().positive().transform(String)]);
const name = text(1, 200);
const description = text(0, 10_000);
const schedule = text(1, 100).describe("A cron expression of five fields");

export const page = {
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  offset: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
};

export const pipelineList = z.object({
  project_id: z.string().max(50).optional(),
  status: z.enum(pipelineStatuses).optional(),
  ...page,
});

export const newPipeline = z.object({
  project_id: id.nullish(),
  name,
  description: description.nullish(),
  schedule: schedule.nullish(),
  ...definition.shape,
});

export const pipelineChanges = z.object({
  name: name.optional(),
  description: description.nullish(),
  schedule: schedule.nullish(),
  status: z.enum(["active", "paused"]).optional(),
  sources: definition.shape.sources.removeDefault().optional(),
  transformations: definition.shape.transformations.removeDefault().optional(),
  targets: definition.shape.targets.removeDefault().optional(),
  config: options.optional(),
});

const parametersOnly = { parameters: record.default({}) };
export const triggeredRun = z.object(parametersOnly).nullish();
export const runRequest = z
  .object({
    ...parametersOnly,
    version: z.int().min(1).max(2_147_483_647).optional().describe("Another version than the deployed one"),
    direct: z.boolean().optional().describe("Run by Quintet itself, without asking Airflow"),
  })
  .nullish();
export const runList = z.object({ status: z.enum(runStatuses).optional(), ...page });
export const logQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});

export const newConnector = z.object({
  name,
  type: text(1, 50),
  config: record.default({}),
  credentials: record.nullish(),
});

export const connectorChanges = z.object({
  name: name.optional(),
  config: record.optional(),
  credentials: record.nullish(),
});

export const list = z.object({ ...page, limit: page.limit.removeDefault().default(100) });

export const newProject = z.object({ name, description: description.default("") });
export const projectChanges = z.object({ name: name.optional(), description: description.optional() });

export const newTrigger = z.object({
  name,
  pipeline_id: id,
  trigger_type: z.enum(["cron", "manual"]),
  config: z
    .object({
      cron_expression: schedule.optional(),
      timezone: timezone.optional(),
      parameters: record.optional(),
    })
    .default({}),
  enabled: z.boolean().default(true),
});

export const triggerList = z.object({ pipeline_id: z.string().max(50).optional(), ...page });

export const anything = z.any();

/** A failure as the document shows one. */
export const failure = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string(),
  }),
});
