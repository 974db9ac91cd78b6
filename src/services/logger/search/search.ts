/** Looking for logs, counting them, handing them out, removing them. Nothing runs longer than ten seconds but an export, which streams. */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";
import { refusalOf } from "../../../platform/database/refusal.ts";
import { unavailable } from "../../../platform/http/failures.ts";
import { parseObjectId } from "../object-id.ts";
import type { ProjectRow } from "../tables.ts";
import { conditions, type Filters } from "./filters.ts";
import { type LogView, logView, type StoredLog } from "./log-view.ts";

const limitMilliseconds = 10_000;
const cancelledByTimeout = "57014";
const deletionBatch = 5_000;
const exportBatch = 2_000;
const mostBuckets = 2_000;

/** Runs queries under the time limit. Fails with `unavailable` when they take longer. */
async function limited<T>(sql: Sql, task: (tx: Queries) => Promise<T>): Promise<T> {
  try {
    return (await sql.begin("read only", async (tx) => {
      await tx`select set_config('statement_timeout', ${String(limitMilliseconds)}, true)`;
      return await task(tx);
    })) as T;
  } catch (error) {
    if (refusalOf(error).code === cancelledByTimeout)
      throw unavailable("Поиск занял больше 10 секунд: уточните фильтры или период", { cause: error });
    throw error;
  }
}

export class Search {
  private readonly sql: Sql;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  /** Logs of a project, newest first; `before` names the last one of the page before. */
  async find(
    project: ProjectRow,
    given: Filters,
    page: { limit: number; before?: string | undefined },
  ): Promise<LogView[]> {
    const rows = await limited(this.sql, (tx) =>
      this.page(tx, project, given, page.before ?? null, page.limit),
    );
    return rows.map((row) => logView(row, project.uuid));
  }

  /** How many logs there were in each stretch of time and level. */
  async histogram(project: ProjectRow, given: Filters & { startDate: Date; endDate: Date }, seconds: number) {
    const rows = await limited(
      this.sql,
      (
        tx,
      ) => tx`select date_bin(make_interval(secs => ${seconds}), at, '2000-01-01') as start, level, count(*)::int as count
        from logger.logs where project_id = ${project.id} ${conditions(tx, given)}
        group by 1, 2 order by 1, 2 limit ${mostBuckets * 10}`,
    );
    const buckets = new Map<string, { start: string; total: number; levels: Record<string, number> }>();
    for (const { start, level, count } of rows) {
      const key = (start as Date).toISOString();
      const bucket = buckets.get(key) ?? { start: key, total: 0, levels: {} };
      bucket.total += Number(count);
      bucket.levels[String(level)] = Number(count);
      buckets.set(key, bucket);
    }
    return [...buckets.values()];
  }

  /** The commonest values of each field, over the newest logs that match: at most `sample` of them are looked at. */
  async facets(project: ProjectRow, given: Filters, { sample, top }: { sample: number; top: number }) {
    const rows = await limited(
      this.sql,
      (tx) => tx`with seen as materialized (
          select level, tags, metadata, client_ip from logger.logs
          where project_id = ${project.id} ${conditions(tx, given)} order by at desc, id desc limit ${sample}),
        pairs as (
          select 'level' as field, level as value from seen
          union all select 'tag', unnest(tags) from seen
          union all select 'service', metadata->>'service' from seen
          union all select 'user', metadata->>'user' from seen
          union all select 'ip', coalesce(metadata->>'ip', client_ip) from seen),
        counted as (
          select field, value, count(*)::int as count,
            row_number() over (partition by field order by count(*) desc, value) as place
          from pairs where value is not null group by field, value)
        select field, value, count, (select count(*)::int from seen) as sampled from counted
        where place <= ${top} order by field, place`,
    );
    const facets: Record<string, { value: string; count: number }[]> = {
      level: [],
      tag: [],
      service: [],
      user: [],
      ip: [],
    };
    for (const { field, value, count } of rows)
      facets[String(field)]?.push({ value: String(value), count: Number(count) });
    return { sampled: Number(rows[0]?.sampled ?? 0), facets };
  }

  /** Everything that matches, oldest last, a page at a time: memory stays the same whatever the number. */
  async *all(project: ProjectRow, given: Filters): AsyncGenerator<LogView[]> {
    let before: string | null = null;
    for (;;) {
      const rows: StoredLog[] = await limited(this.sql, (tx) =>
        this.page(tx, project, given, before, exportBatch),
      );
      const views = rows.map((row) => logView(row, project.uuid));
      if (views.length > 0) yield views;
      if (views.length < exportBatch) return;
      before = views.at(-1)?._id ?? null;
    }
  }

  /** Removes what matches, in small batches; answers how many. */
  async remove(project: ProjectRow, given: Filters): Promise<number> {
    let deleted = 0;
    for (let gone = 1; gone > 0; deleted += gone) {
      const result = await this.sql`with gone as (
          select at, id from logger.logs where project_id = ${project.id} ${conditions(this.sql, given)}
          order by at, id limit ${deletionBatch})
        delete from logger.logs l using gone
        where l.project_id = ${project.id} and l.at = gone.at and l.id = gone.id`;
      gone = result.count;
    }
    if (deleted > 0)
      await this
        .sql`update logger.projects set entries = greatest(entries - ${deleted}, 0) where id = ${project.id}`;
    return deleted;
  }

  /** Rows by what names them, for a tail that heard of them from another instance. */
  async byKeys(projectId: number, keys: readonly [at: number, id: number][]): Promise<StoredLog[]> {
    const times = keys.map(([at]) => new Date(at).toISOString());
    const ids = keys.map(([, id]) => id);
    return await this.sql<
      StoredLog[]
    >`select l.id, l.at, level, message, tags, metadata, client_ip from logger.logs l
      join unnest(${times}::timestamptz[], ${ids}::bigint[]) as k(at, id) on l.at = k.at and l.id = k.id
      where project_id = ${projectId} order by l.at, l.id`;
  }

  private async page(
    tx: Queries,
    project: ProjectRow,
    given: Filters,
    before: string | null,
    limit: number,
  ): Promise<StoredLog[]> {
    const key = before === null ? null : parseObjectId(before);
    // An identifier holds whole seconds: the row's own time is looked up, and where the row is gone its second is begun anew.
    const older = key
      ? tx`and (at, id) < (coalesce((select at from logger.logs where project_id = ${project.id}
          and at >= ${new Date(key.seconds * 1000)} and at < ${new Date((key.seconds + 1) * 1000)} and id = ${key.id}),
          ${new Date((key.seconds + 1) * 1000)}), ${key.id}::bigint)`
      : tx``;
    return await tx<StoredLog[]>`select id, at, level, message, tags, metadata, client_ip from logger.logs
      where project_id = ${project.id} ${conditions(tx, given)} ${older} order by at desc, id desc limit ${limit}`;
  }
}
