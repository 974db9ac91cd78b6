/** Projects: kept in memory, because every log asks for one; told by NOTIFY when another instance changed them. */
import { desc, eq, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import type { Sql } from "postgres";
import { invalid, notFound } from "../../platform/http/failures.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import { defaultTags, systemUuid } from "./project.ts";
import { type ProjectRow, pingServices, projects } from "./tables.ts";

const topic = "logger-projects";
const deletionBatch = 5_000;

type Fields = Omit<typeof projects.$inferInsert, "id" | "uuid" | "createdAt" | "updatedAt" | "entries">;

/** What may be given of a project; the rest has defaults. */
export type ProjectFields = Partial<Fields> & { name: string };

const defaults = {
  defaultTags,
  customTags: [],
  telegramNotify: { enabled: false, recipients: [], antiSpamInterval: 15 },
  emailNotify: { enabled: false, recipients: [] },
};

export class Projects {
  private readonly orm: PostgresJsDatabase;
  private readonly sql: Sql;
  private readonly topics: Topics;
  private byUuid = new Map<string, ProjectRow>();

  constructor(orm: PostgresJsDatabase, client: Sql, topics: Topics) {
    this.orm = orm;
    this.sql = client;
    this.topics = topics;
  }

  /** Loads the projects, having made the system's own. `onError` hears of a load that failed later on. */
  async start(onError: (error: unknown) => void): Promise<void> {
    await this.orm
      .insert(projects)
      .values({ ...defaults, uuid: systemUuid, name: systemUuid, description: "Журнал самого Logger" })
      .onConflictDoNothing();
    const reload = () => void this.load().catch(onError);
    this.topics.subscribe(topic, reload);
    this.topics.onResync(reload);
    await this.load();
  }

  /** The project in memory, if it is there: at once. */
  known(uuid: string): ProjectRow | undefined {
    return this.byUuid.get(uuid);
  }

  /** The project with an id in memory. */
  byId(id: number): ProjectRow | undefined {
    for (const project of this.byUuid.values()) if (project.id === id) return project;
    return undefined;
  }

  /** The project, looked for in the database when it is not in memory yet. Fails with `notFound`. */
  async find(uuid: string): Promise<ProjectRow> {
    const known = this.byUuid.get(uuid);
    if (known) return known;
    const [row] =
      uuid.length > 100 ? [] : await this.orm.select().from(projects).where(eq(projects.uuid, uuid));
    if (!row) throw notFound("Проект не найден");
    this.byUuid.set(uuid, row);
    return row;
  }

  /** All projects, newest first. */
  async list(): Promise<ProjectRow[]> {
    return await this.orm.select().from(projects).orderBy(desc(projects.createdAt), desc(projects.id));
  }

  async create(fields: ProjectFields): Promise<ProjectRow> {
    const [row] = await this.orm
      .insert(projects)
      .values({ ...defaults, ...fields, entries: fields.maxLogEntries ? 0 : null })
      .returning();
    if (!row) throw new Error("the project was not stored");
    await this.changed();
    return row;
  }

  /** Changes a project. Where a cap is set, its logs are counted first. */
  async update(uuid: string, fields: Partial<Fields>): Promise<ProjectRow> {
    const { id, maxLogEntries } = await this.find(uuid);
    const setsCap = fields.maxLogEntries !== undefined && fields.maxLogEntries !== maxLogEntries;
    const entries = sql`(select count(*) from logger.logs where project_id = ${id})`;
    const [row] = await this.orm
      .update(projects)
      .set({
        ...fields,
        ...(setsCap ? { entries: fields.maxLogEntries === 0 ? null : entries } : {}),
        updatedAt: sql`now()`,
      })
      .where(eq(projects.id, id))
      .returning();
    if (!row) throw notFound("Проект не найден");
    await this.changed();
    return row;
  }

  /** Removes a project with its logs and ping services, and counts them. The system's own cannot be removed. */
  async remove(uuid: string): Promise<{ deletedLogs: number; deletedPingServices: number }> {
    if (uuid === systemUuid) throw invalid("Системный проект нельзя удалить");
    const { id } = await this.find(uuid);
    const services = await this.orm
      .delete(pingServices)
      .where(eq(pingServices.projectId, id))
      .returning({ id: pingServices.id });
    // The project goes first, so that nothing more comes in; its logs follow in small batches.
    await this.orm.delete(projects).where(eq(projects.id, id));
    await this.changed();
    return { deletedLogs: await this.removeLogs(id), deletedPingServices: services.length };
  }

  /** Removes logs whose project is gone: a server that was killed while it removed one left some behind. */
  async removeOrphans(): Promise<void> {
    const rows = await this.sql`select distinct project_id as id from (
      select project_id from logger.logs tablesample system (1)) seen
      where not exists (select from logger.projects where id = seen.project_id)`;
    for (const { id } of rows) await this.removeLogs(Number(id));
  }

  /** Removes logs beyond each project's own retention. */
  async trim(now: number): Promise<void> {
    for (const { id, retentionDays } of await this.list()) {
      if (retentionDays > 0) await this.removeLogs(id, new Date(now - retentionDays * 86_400_000));
    }
  }

  /** Tells every instance to load the projects again. */
  async changed(): Promise<void> {
    await this.load();
    await this.topics.broadcast(topic, null);
  }

  private async removeLogs(projectId: number, before: Date | null = null): Promise<number> {
    let deleted = 0;
    for (let gone = 1; gone > 0; deleted += gone) {
      const old = before ? this.sql`and at < ${before}` : this.sql``;
      const result = await this.sql`with gone as (
          select at, id from logger.logs where project_id = ${projectId} ${old} order by at, id limit ${deletionBatch})
        delete from logger.logs l using gone
        where l.project_id = ${projectId} and l.at = gone.at and l.id = gone.id`;
      gone = result.count;
      if (before && gone > 0)
        await this
          .sql`update logger.projects set entries = greatest(entries - ${gone}, 0) where id = ${projectId}`;
    }
    return deleted;
  }

  private async load(): Promise<void> {
    const rows = await this.orm.select().from(projects);
    this.byUuid = new Map(rows.map((row) => [row.uuid, row]));
  }
}
