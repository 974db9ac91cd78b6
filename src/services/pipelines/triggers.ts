/** Triggers: schedules of their own for a pipeline, beside the one that it has itself. */
import type { Sql } from "postgres";
import { isDuplicate } from "../../platform/database/refusal.ts";
import { conflict } from "../../platform/http/failures.ts";
import { nextFiring } from "./cron.ts";
import { idOf, unknown } from "./ids.ts";

export interface Trigger {
  id: number;
  name: string;
  pipeline_id: number;
  type: "cron" | "manual";
  config: { cron_expression?: string; timezone?: string; parameters?: Record<string, unknown> };
  status: "active" | "paused";
  next_run: Date | null;
  last_run: Date | null;
  created_at: Date;
}

export interface NewTrigger {
  name: string;
  pipelineId: number;
  type: Trigger["type"];
  config: Trigger["config"];
  enabled: boolean;
}

const taken = () => conflict("The pipeline has a trigger of this name", { details: { field: "name" } });

export const triggerView = (trigger: Trigger) => ({
  trigger_id: idOf("trigger", trigger.id),
  name: trigger.name,
  pipeline_id: idOf("pipeline", trigger.pipeline_id),
  trigger_type: trigger.type,
  config: trigger.config,
  status: trigger.status,
  next_run: trigger.next_run?.toISOString() ?? null,
  last_run: trigger.last_run?.toISOString() ?? null,
  created_at: trigger.created_at.toISOString(),
});

/** Neither deleted itself nor of a pipeline that is. */
const present = (sql: Sql) => sql`deleted_at is null
  and exists (select from pipelines.pipelines p where p.id = pipeline_id and p.deleted_at is null)`;

export class Triggers {
  private readonly sql: Sql;
  private readonly now: () => number;

  /** `now` in milliseconds. */
  constructor(sql: Sql, now: () => number) {
    this.sql = sql;
    this.now = now;
  }

  async create({ name, pipelineId, type, config, enabled }: NewTrigger, by: number): Promise<Trigger> {
    const next = enabled ? this.next(type, config) : null;
    try {
      const [row] = await this.sql<
        Trigger[]
      >`insert into pipelines.triggers (name, pipeline_id, type, config, status, next_run, created_by)
        values (${name}, ${pipelineId}, ${type}, ${JSON.stringify(config)}::text::jsonb, ${enabled ? "active" : "paused"}, ${next}, ${by})
        returning *`;
      if (!row) throw new Error("the trigger was not stored");
      return row;
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
  }

  async list(pipelineId: number | null, { limit, offset }: { limit: number; offset: number }) {
    const { sql } = this;
    const conditions = sql`${present(sql)} ${pipelineId === null ? sql`` : sql`and pipeline_id = ${pipelineId}`}`;
    const rows = await sql<
      Trigger[]
    >`select * from pipelines.triggers where ${conditions} order by id limit ${limit} offset ${offset}`;
    const [all] = await sql`select count(*)::int as total from pipelines.triggers where ${conditions}`;
    return { rows, total: Number(all?.total ?? 0) };
  }

  /** Fails with `notFound`. */
  async find(id: number): Promise<Trigger> {
    const [row] = await this.sql<
      Trigger[]
    >`select * from pipelines.triggers where id = ${id} and ${present(this.sql)}`;
    if (!row) throw unknown("trigger");
    return row;
  }

  /** Pauses a trigger, or lets it go on. Fails with `notFound`. */
  async enable(id: number, isEnabled: boolean): Promise<Trigger> {
    const { type, config } = await this.find(id);
    await this.sql`update pipelines.triggers set status = ${isEnabled ? "active" : "paused"},
      next_run = ${isEnabled ? this.next(type, config) : null}, updated_at = now() where id = ${id}`;
    return await this.find(id);
  }

  async remove(id: number, by: number): Promise<void> {
    const gone = await this
      .sql`update pipelines.triggers set deleted_at = now(), deleted_by = ${by}, next_run = null
      where id = ${id} and deleted_at is null`;
    if (gone.count === 0) throw unknown("trigger");
  }

  private next(
    type: Trigger["type"],
    { cron_expression: expression, timezone }: Trigger["config"],
  ): Date | null {
    return type === "cron" && expression ? nextFiring(expression, timezone, new Date(this.now())) : null;
  }
}
