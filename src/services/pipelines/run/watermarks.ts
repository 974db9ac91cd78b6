/** How far incremental pipelines have come. */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";

export interface Watermark {
  source: string;
  value: string;
}

/** The value up to which a source was read; null before the first time. */
export async function watermarkOf(sql: Sql, pipelineId: number, source: string): Promise<string | null> {
  const [row] =
    await sql`select value from pipelines.watermarks where pipeline_id = ${pipelineId} and source = ${source}`;
  return row ? String(row.value) : null;
}

/** Keeps how far a run has come; of two runs the later one counts. */
export async function keepWatermarks(
  tx: Queries,
  pipelineId: number,
  runId: number,
  watermarks: readonly Watermark[],
): Promise<void> {
  for (const { source, value } of watermarks)
    await tx`insert into pipelines.watermarks (pipeline_id, source, value, run_id) values (${pipelineId}, ${source}, ${value}, ${runId})
      on conflict (pipeline_id, source) do update set value = excluded.value, run_id = excluded.run_id, updated_at = now()
      where watermarks.run_id <= excluded.run_id`;
}
