/** Ended runs that are too old. */
import type { Sql } from "postgres";

const atOnce = 1_000;

/** Removes runs that ended more than `days` ago with their logs, but never a pipeline's last one; answers how many. Several servers may do it at once. */
export async function expireRuns(sql: Sql, days: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const { count } = await sql`delete from pipelines.runs where id in (
      select id from pipelines.runs r where status in ('success', 'failed', 'cancelled')
        and finished_at < now() - make_interval(days => ${days})
        and exists (select from pipelines.runs later where later.pipeline_id = r.pipeline_id and later.id > r.id)
      limit ${atOnce} for update skip locked)`;
    removed += count;
    if (count < atOnce) return removed;
  }
}
