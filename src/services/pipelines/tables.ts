import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import type { Definition } from "./definition.ts";

/** Pipelines' rows. What is deleted stays, marked, until an administrator removes it for good. */
export const pipelinesSchema = pgSchema("pipelines");

const time = (name: string) => timestamp(name, { withTimezone: true });
const identity = () => integer("id").primaryKey().generatedAlwaysAsIdentity();
const made = {
  createdAt: time("created_at").notNull().defaultNow(),
  createdBy: integer("created_by"),
  updatedAt: time("updated_at").notNull().defaultNow(),
  deletedAt: time("deleted_at"),
  deletedBy: integer("deleted_by"),
};
const isPresent = sql`deleted_at is null`;

export const projects = pipelinesSchema.table(
  "projects",
  {
    id: identity(),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    ...made,
  },
  (table) => [uniqueIndex("projects_name").on(sql`lower(${table.name})`).where(isPresent)],
);

export const pipelineStatuses = ["draft", "active", "paused", "failed"] as const;

export const pipelines = pipelinesSchema.table(
  "pipelines",
  {
    id: identity(),
    projectId: integer("project_id")
      .notNull()
      .references(() => projects.id),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    status: text("status", { enum: pipelineStatuses }).notNull().default("draft"),
    /** The newest one. */
    version: integer("version").notNull().default(1),
    /** The one that runs on schedule; null until it is deployed. */
    deployedVersion: integer("deployed_version"),
    schedule: text("schedule"),
    /** When the schedule fires next, once it is deployed. */
    nextRun: time("next_run"),
    /** Since when the schedule counts: what it would have fired before is not made up for. */
    scheduledSince: time("scheduled_since"),
    ...made,
  },
  (table) => [
    uniqueIndex("pipelines_name").on(table.projectId, sql`lower(${table.name})`).where(isPresent),
    index("pipelines_due").on(table.nextRun).where(sql`next_run is not null`),
  ],
);

export type PipelineRow = typeof pipelines.$inferSelect;

/** What a pipeline was at each version; never changed. */
export const versions = pipelinesSchema.table(
  "versions",
  {
    pipelineId: integer("pipeline_id")
      .notNull()
      .references(() => pipelines.id, { onDelete: "cascade" }),
    version: integer("version").notNull(),
    definition: jsonb("definition").$type<Definition>().notNull(),
    schedule: text("schedule"),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: integer("created_by"),
  },
  (table) => [primaryKey({ columns: [table.pipelineId, table.version] })],
);

export const connectors = pipelinesSchema.table(
  "connectors",
  {
    id: identity(),
    name: text("name").notNull(),
    type: text("type").notNull(),
    config: jsonb("config").$type<Record<string, unknown>>().notNull(),
    /** Sealed; null when there are none. */
    credentials: text("credentials"),
    status: text("status", { enum: ["active", "error"] })
      .notNull()
      .default("active"),
    lastTested: time("last_tested"),
    testStatus: text("test_status", { enum: ["success", "failed"] }),
    ...made,
  },
  (table) => [uniqueIndex("connectors_name").on(sql`lower(${table.name})`).where(isPresent)],
);

export type ConnectorRow = typeof connectors.$inferSelect;

export const runStatuses = ["pending", "running", "success", "failed", "cancelled"] as const;

/** Times in milliseconds that each phase took, and what it moved. */
export interface RunMetrics {
  extraction_time_ms: number;
  transformation_time_ms: number;
  loading_time_ms: number;
  rows_extracted: number;
  rows_loaded: number;
}

/** Runs are the queue as well: a waiting one is leased to a server, which shows that it lives; one whose server died is taken over. */
export const runs = pipelinesSchema.table(
  "runs",
  {
    id: identity(),
    pipelineId: integer("pipeline_id")
      .notNull()
      .references(() => pipelines.id, { onDelete: "cascade" }),
    version: integer("version").notNull(),
    status: text("status", { enum: runStatuses }).notNull().default("pending"),
    phase: text("phase"),
    /** What began it: `manual`, `schedule`, or a trigger's name. */
    cause: text("cause").notNull(),
    parameters: jsonb("parameters").$type<Record<string, unknown>>().notNull().default({}),
    idempotencyKey: text("idempotency_key"),
    /** The firing of a schedule that it stands for: there is one run for each. */
    firedFor: text("fired_for"),
    attempt: integer("attempt").notNull().default(0),
    notBefore: time("not_before").notNull().defaultNow(),
    /** The DAG by which Airflow was asked for it; null: Airflow knows nothing of it. */
    airflowDagId: text("airflow_dag_id"),
    /** Nobody takes it before Airflow's task has asked for it. */
    isHeld: boolean("is_held").notNull().default(false),
    leaseOwner: text("lease_owner"),
    leaseUntil: time("lease_until"),
    cancelRequested: time("cancel_requested"),
    rowsProcessed: bigint("rows_processed", { mode: "number" }).notNull().default(0),
    /** From where and how far it reads each source, decided before anything was published: another attempt must not go further than what an earlier one may have published. */
    watermarks: jsonb("watermarks").$type<Record<string, unknown>>(),
    metrics: jsonb("metrics").$type<RunMetrics>(),
    errorCode: text("error_code"),
    error: text("error"),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: integer("created_by"),
    startedAt: time("started_at"),
    finishedAt: time("finished_at"),
  },
  (table) => [
    index("runs_pipeline").on(table.pipelineId, table.id),
    index("runs_open").on(table.notBefore).where(sql`status in ('pending', 'running')`),
    uniqueIndex("runs_one_at_a_time").on(table.pipelineId).where(sql`status = 'running'`),
    uniqueIndex("runs_idempotency").on(table.pipelineId, table.idempotencyKey),
    uniqueIndex("runs_fired_for").on(table.pipelineId, table.firedFor),
  ],
);

export type RunRow = typeof runs.$inferSelect;

export const runLogs = pipelinesSchema.table(
  "run_logs",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    runId: integer("run_id")
      .notNull()
      .references(() => runs.id, { onDelete: "cascade" }),
    at: time("at").notNull().defaultNow(),
    level: text("level", { enum: ["info", "warning", "error"] }).notNull(),
    message: text("message").notNull(),
  },
  (table) => [index("run_logs_run").on(table.runId, table.id)],
);

/** How far an incremental pipeline has come, by what it reads. */
export const watermarks = pipelinesSchema.table(
  "watermarks",
  {
    pipelineId: integer("pipeline_id")
      .notNull()
      .references(() => pipelines.id, { onDelete: "cascade" }),
    source: text("source").notNull(),
    value: text("value").notNull(),
    runId: integer("run_id").notNull(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.pipelineId, table.source] })],
);

export const triggers = pipelinesSchema.table(
  "triggers",
  {
    id: identity(),
    name: text("name").notNull(),
    pipelineId: integer("pipeline_id")
      .notNull()
      .references(() => pipelines.id, { onDelete: "cascade" }),
    type: text("type", { enum: ["cron", "manual"] }).notNull(),
    config: jsonb("config").$type<Record<string, unknown>>().notNull().default({}),
    status: text("status", { enum: ["active", "paused"] })
      .notNull()
      .default("active"),
    nextRun: time("next_run"),
    lastRun: time("last_run"),
    ...made,
  },
  (table) => [
    uniqueIndex("triggers_name").on(table.pipelineId, sql`lower(${table.name})`).where(isPresent),
    index("triggers_due").on(table.nextRun).where(sql`next_run is not null`),
  ],
);

export type TriggerRow = typeof triggers.$inferSelect;
