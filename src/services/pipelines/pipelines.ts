/** Pipelines and their versions: made, found, changed, deployed, deleted. */
import type { Sql } from "postgres";
import { numberArray } from "../../platform/database/array-literal.ts";
import type { Queries } from "../../platform/database/connect.ts";
import { isDuplicate } from "../../platform/database/refusal.ts";
import { conflict, invalid, notFound } from "../../platform/http/failures.ts";
import { nextFiring } from "./cron.ts";
import { type Definition, type Endpoint, named } from "./definition.ts";
import { unknown } from "./ids.ts";
import type { pipelineStatuses } from "./tables.ts";
import type { Trigger } from "./triggers.ts";

export type PipelineStatus = (typeof pipelineStatuses)[number];

export interface Pipeline {
  id: number;
  project_id: number;
  name: string;
  description: string;
  status: PipelineStatus;
  version: number;
  deployed_version: number | null;
  schedule: string | null;
  next_run: Date | null;
  created_at: Date;
  updated_at: Date;
  definition: Definition;
}

/** A pipeline as lists show it: without what it does, with its last run. */
export type ListedPipeline = Omit<Pipeline, "definition"> & { last_run: LastRun | null };

export interface LastRun {
  id: number;
  status: string;
  started_at: Date | null;
  finished_at: Date | null;
  rows_processed: number;
}

export interface PipelineChanges {
  name?: string | undefined;
  description?: string | undefined;
  /** Null: none any more. */
  schedule?: string | null | undefined;
  status?: "active" | "paused" | undefined;
  definition: Partial<Definition>;
}

const taken = () => conflict("A pipeline of this name exists in the project", { details: { field: "name" } });

export class Pipelines {
  private readonly sql: Sql;
  private readonly now: () => number;
  private readonly seal: (endpoint: Endpoint, before: readonly Endpoint[]) => Endpoint;

  /** `seal` makes an endpoint one that may be kept; `now` in milliseconds. */
  constructor(
    sql: Sql,
    seal: (endpoint: Endpoint, before: readonly Endpoint[]) => Endpoint,
    now: () => number,
  ) {
    this.sql = sql;
    this.seal = seal;
    this.now = now;
  }

  /** A page of pipelines, newest first, each with its last run. */
  async list(
    filter: { projectId: number | null; status: PipelineStatus | null },
    { limit, offset }: { limit: number; offset: number },
  ): Promise<{ rows: ListedPipeline[]; total: number }> {
    const { sql } = this;
    const conditions = sql`p.deleted_at is null
      ${filter.projectId === null ? sql`` : sql`and p.project_id = ${filter.projectId}`}
      ${filter.status === null ? sql`` : sql`and p.status = ${filter.status}`}`;
    const rows = await sql<
      (ListedPipeline & { last_run_started: Date | null; last_run_finished: Date | null })[]
    >`
      select p.*, r.started_at as last_run_started, r.finished_at as last_run_finished,
        case when r.id is not null then json_build_object('id', r.id, 'status', r.status, 'rows_processed', r.rows_processed) end as last_run
      from pipelines.pipelines p
      left join lateral (select * from pipelines.runs where pipeline_id = p.id order by id desc limit 1) r on true
      where ${conditions} order by p.id desc limit ${limit} offset ${offset}`;
    const [all] = await sql`select count(*)::int as total from pipelines.pipelines p where ${conditions}`;
    return {
      total: Number(all?.total ?? 0),
      rows: rows.map(({ last_run_started: started_at, last_run_finished: finished_at, ...row }) => ({
        ...row,
        last_run: row.last_run && { ...row.last_run, started_at, finished_at },
      })),
    };
  }

  /** A pipeline at its newest version. Fails with `notFound`. */
  async find(id: number): Promise<Pipeline> {
    const [row] = await this.sql<Pipeline[]>`select p.*, v.definition from pipelines.pipelines p
      join pipelines.versions v on v.pipeline_id = p.id and v.version = p.version
      where p.id = ${id} and p.deleted_at is null`;
    if (!row) throw unknown("pipeline");
    return row;
  }

  /** What a pipeline was at a version. Fails with `notFound`. */
  async definitionOf(id: number, version: number): Promise<Definition> {
    const [row] = await this
      .sql`select definition from pipelines.versions where pipeline_id = ${id} and version = ${version}`;
    if (!row) throw notFound(`The pipeline has no version ${version}`);
    return row.definition as Definition;
  }

  async versions(
    id: number,
  ): Promise<{ version: number; schedule: string | null; created_at: Date; created_by: number | null }[]> {
    await this.find(id);
    const rows = await this.sql`select version, schedule, created_at, created_by from pipelines.versions
      where pipeline_id = ${id} order by version desc`;
    return rows as never;
  }

  /** Makes a pipeline; its status is `draft`. Fails with `conflict` for a name that the project has. */
  async create(
    given: {
      projectId: number;
      name: string;
      description: string;
      schedule: string | null;
      definition: Definition;
    },
    by: number,
  ): Promise<Pipeline> {
    try {
      const id = await this.sql.begin(async (tx) => {
        const [row] =
          await tx`insert into pipelines.pipelines (project_id, name, description, schedule, created_by)
          values (${given.projectId}, ${given.name}, ${given.description}, ${given.schedule}, ${by}) returning id`;
        const made = Number(row?.id);
        await addVersion(tx, {
          id: made,
          version: 1,
          schedule: given.schedule,
          definition: this.kept(given.definition, null),
          by,
        });
        return made;
      });
      return await this.find(id);
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
  }

  /** Changes a pipeline: each change is a new version. What is deployed stays as it was. Fails with `notFound`, `conflict`. */
  async update(id: number, changes: PipelineChanges, by: number): Promise<Pipeline> {
    try {
      await this.sql.begin(async (tx) => {
        const before = await lock(tx, id);
        const schedule = changes.schedule === undefined ? before.schedule : changes.schedule;
        const version = before.version + 1;
        const definition = this.kept({ ...before.definition, ...changes.definition }, before.definition);
        await addVersion(tx, { id, version, schedule, definition, by });
        await tx`update pipelines.pipelines set version = ${version}, schedule = ${schedule},
            name = coalesce(${changes.name ?? null}, name), description = coalesce(${changes.description ?? null}, description),
            status = coalesce(${changes.status ?? null}, status), updated_at = now()
          where id = ${id}`;
        if (changes.status !== undefined) await this.reschedule(tx, id);
      });
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
    return await this.find(id);
  }

  /** Pins the newest version: it is the one that runs from now on. Fails with `invalid` when it could not. */
  async deploy(id: number): Promise<{ pipeline: Pipeline; version: number; at: Date }> {
    const { version, at } = await this.sql.begin(async (tx) => {
      const { definition, version, deployed_version: before, status } = await lock(tx, id);
      if (definition.sources.length === 0 || definition.targets.length === 0)
        throw invalid("A pipeline needs a source and a target to be deployed");
      const [row] =
        await tx`update pipelines.pipelines set deployed_version = ${version}, status = 'active', updated_at = now()
        where id = ${id} returning updated_at`;
      if (before !== version || status !== "active") await this.reschedule(tx, id);
      return { version, at: row?.updated_at as Date };
    });
    return { pipeline: await this.find(id), version, at };
  }

  /** Marks a pipeline as deleted; it runs no more, and what runs of it just now ends. Fails with `notFound`. */
  async remove(id: number, by: number): Promise<void> {
    await this.sql.begin(async (tx) => {
      const gone =
        await tx`update pipelines.pipelines set deleted_at = now(), deleted_by = ${by}, next_run = null
        where id = ${id} and deleted_at is null`;
      if (gone.count === 0) throw unknown("pipeline");
      await cancelRuns(tx, [id]);
    });
  }

  private kept(definition: Definition, before: Definition | null): Definition {
    const { sources, targets, ...rest } = named(definition);
    return {
      ...rest,
      sources: sources.map((source) => this.seal(source, before?.sources ?? [])),
      targets: targets.map((target) => this.seal(target, before?.targets ?? [])),
    };
  }

  /** Finds out when the deployed version fires next, from now on. */
  private async reschedule(tx: Queries, id: number): Promise<void> {
    const [row] = await tx`select p.status, v.schedule, v.definition from pipelines.pipelines p
      join pipelines.versions v on v.pipeline_id = p.id and v.version = p.deployed_version where p.id = ${id}`;
    const isDue = row?.status === "active" && row.schedule !== null;
    const zone = (row?.definition as Definition | undefined)?.config.timezone;
    const now = new Date(this.now());
    const next = isDue ? nextFiring(String(row.schedule), zone, now) : null;
    await tx`update pipelines.pipelines set next_run = ${next}, scheduled_since = ${now} where id = ${id}`;
    if (row?.status === "active") await skipMissed(tx, id, now);
  }
}

/** What a pipeline's triggers missed while it was paused is not made up for. */
async function skipMissed(tx: Queries, pipelineId: number, now: Date): Promise<void> {
  const missed = await tx<Trigger[]>`select * from pipelines.triggers
    where pipeline_id = ${pipelineId} and deleted_at is null and next_run <= ${now}`;
  for (const { id, config } of missed) {
    const next = nextFiring(config.cron_expression ?? "", config.timezone, now);
    await tx`update pipelines.triggers set next_run = ${next} where id = ${id}`;
  }
}

/** Cancels the runs of pipelines that go. Whoever does one just now learns it within a second. */
export async function cancelRuns(tx: Queries, pipelineIds: readonly number[]): Promise<void> {
  await tx`update pipelines.runs set cancel_requested = now(),
      status = case when status = 'pending' then 'cancelled' else status end,
      finished_at = case when status = 'pending' then now() else finished_at end
    where pipeline_id = any(${numberArray(pipelineIds)}::text::int[]) and status in ('pending', 'running')`;
}

async function lock(tx: Queries, id: number) {
  const [row] = await tx<Pipeline[]>`select p.*, v.definition from pipelines.pipelines p
    join pipelines.versions v on v.pipeline_id = p.id and v.version = p.version
    where p.id = ${id} and p.deleted_at is null for update of p`;
  if (!row) throw unknown("pipeline");
  return row;
}

async function addVersion(
  tx: Queries,
  {
    id,
    version,
    schedule,
    definition,
    by,
  }: { id: number; version: number; schedule: string | null; definition: Definition; by: number },
): Promise<void> {
  await tx`insert into pipelines.versions (pipeline_id, version, definition, schedule, created_by)
    values (${id}, ${version}, ${JSON.stringify(definition)}::text::jsonb, ${schedule}, ${by})`;
}
