/** Old runs. */
import { expect, test } from "bun:test";
import { expireRuns } from "../../src/services/pipelines/expiry.ts";
import { openCopy } from "../support/database.ts";

test("ended runs go when they are too old, with their logs; a pipeline's last one stays, and so does what goes on", async () => {
  const { sql, close } = await openCopy();
  await sql`insert into pipelines.projects (name) values ('p')`;
  await sql`insert into pipelines.pipelines (project_id, name) select id, name || n from pipelines.projects, generate_series(1, 2) n`;
  await sql`insert into pipelines.versions (pipeline_id, version, definition) select id, 1, '{}' from pipelines.pipelines`;
  const run = (pipeline: number, status: string, daysAgo: number) => sql`
    insert into pipelines.runs (pipeline_id, version, status, cause, finished_at)
    values (${pipeline}, 1, ${status}, 'manual', now() - make_interval(days => ${daysAgo}))`;
  await run(1, "success", 31);
  await run(1, "failed", 32);
  await run(1, "success", 29);
  await run(2, "pending", 40);
  await run(2, "cancelled", 40);
  await sql`insert into pipelines.run_logs (run_id, level, message) select id, 'info', 'x' from pipelines.runs`;
  expect(await expireRuns(sql, 30)).toBe(2);
  const left = await sql`select id from pipelines.runs order by id`;
  expect(left.map(({ id }) => id)).toEqual([3, 4, 5]);
  expect(await sql`select from pipelines.run_logs`).toHaveLength(3);
  await close();
});
