/** Projects: what pipelines are kept in. One, "Default", always exists. */
import type { Sql } from "postgres";
import { isDuplicate } from "../../platform/database/refusal.ts";
import { conflict } from "../../platform/http/failures.ts";
import { idOf, unknown } from "./ids.ts";
import { cancelRuns } from "./pipelines.ts";

export interface ProjectView {
  id: string;
  name: string;
  description: string;
  pipelines: number;
  created_at: string;
  updated_at: string;
}

export const defaultProject = 1;

const taken = () => conflict("A project of this name exists", { details: { field: "name" } });

export class Projects {
  private readonly sql: Sql;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  async start(): Promise<void> {
    await this
      .sql`insert into pipelines.projects (id, name) overriding system value values (${defaultProject}, 'Default')
      on conflict do nothing`;
    await this
      .sql`select setval(pg_get_serial_sequence('pipelines.projects', 'id'), greatest(max(id), 1)) from pipelines.projects`;
  }

  /** Fails with `notFound` unless there is such a project. */
  async require(id: number): Promise<void> {
    const [row] = await this.sql`select from pipelines.projects where id = ${id} and deleted_at is null`;
    if (!row) throw unknown("project");
  }

  async list({
    limit,
    offset,
  }: {
    limit: number;
    offset: number;
  }): Promise<{ items: ProjectView[]; total: number }> {
    const rows = await this.select(this.sql``, this.sql`order by p.id limit ${limit} offset ${offset}`);
    const [all] = await this
      .sql`select count(*)::int as total from pipelines.projects where deleted_at is null`;
    return { items: rows, total: Number(all?.total ?? 0) };
  }

  async find(id: number): Promise<ProjectView> {
    const [row] = await this.select(this.sql`and p.id = ${id}`, this.sql``);
    if (!row) throw unknown("project");
    return row;
  }

  async create(name: string, description: string, by: number): Promise<ProjectView> {
    try {
      const [row] = await this.sql`insert into pipelines.projects (name, description, created_by)
        values (${name}, ${description}, ${by}) returning id`;
      return await this.find(Number(row?.id));
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
  }

  async update(
    id: number,
    { name, description }: { name?: string | undefined; description?: string | undefined },
  ): Promise<ProjectView> {
    try {
      await this.sql`update pipelines.projects set name = coalesce(${name ?? null}, name),
        description = coalesce(${description ?? null}, description), updated_at = now() where id = ${id} and deleted_at is null`;
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
    return await this.find(id);
  }

  /** Marks a project as deleted, and its pipelines with it. The default one stays. Fails with `notFound`, `conflict`. */
  async remove(id: number, by: number): Promise<void> {
    if (id === defaultProject) throw conflict("The default project cannot be deleted");
    await this.sql.begin(async (tx) => {
      const [gone] = await tx`update pipelines.projects set deleted_at = now(), deleted_by = ${by}
        where id = ${id} and deleted_at is null returning deleted_at`;
      if (!gone) throw unknown("project");
      const pipelines =
        await tx`update pipelines.pipelines set deleted_at = ${gone.deleted_at}, deleted_by = ${by}, next_run = null
        where project_id = ${id} and deleted_at is null returning id`;
      await cancelRuns(
        tx,
        pipelines.map((pipeline) => Number(pipeline.id)),
      );
    });
  }

  private async select(condition: ReturnType<Sql>, rest: ReturnType<Sql>): Promise<ProjectView[]> {
    const rows = await this.sql`select p.id, name, description, created_at, updated_at,
        (select count(*)::int from pipelines.pipelines l where l.project_id = p.id and l.deleted_at is null) as pipelines
      from pipelines.projects p where p.deleted_at is null ${condition} ${rest}`;
    return rows.map((row) => ({
      id: idOf("project", Number(row.id)),
      name: String(row.name),
      description: String(row.description),
      pipelines: Number(row.pipelines),
      created_at: (row.created_at as Date).toISOString(),
      updated_at: (row.updated_at as Date).toISOString(),
    }));
  }
}
