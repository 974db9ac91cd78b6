/** How far incremental pipelines have come. */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";

export interface Watermark {
  /** What was read: the source, and of it the place and the column. */
  source: string;
  /** Where it began; null: at the beginning. */
  after: string | null;
  value: string;
}

/** The value up to which a source was read; null before the first time. */
export async function watermarkOf(sql: Sql, pipelineId: number, source: string): Promise<string | null> {
  const [row] =
    await sql`select value from pipelines.watermarks where pipeline_id = ${pipelineId} and source = ${source}`;
  return row ? String(row.value) : null;
}

/** How far an earlier attempt of a run was to read each source; none where there was none, or it came to nothing. */
export async function planned(sql: Sql, runId: number): Promise<Record<string, Watermark>> {
  const [row] = await sql`select watermarks from pipelines.runs where id = ${runId}`;
  return (row?.watermarks as Record<string, Watermark> | null) ?? {};
}

/** Keeps how far a run reads, before the first of its targets is published. */
export async function keepPlanned(sql: Sql, runId: number, watermarks: readonly Watermark[]): Promise<void> {
  if (watermarks.length === 0) return;
  const plan = Object.fromEntries(watermarks.map((watermark) => [watermark.source, watermark]));
  await sql`update pipelines.runs set watermarks = ${JSON.stringify(plan)}::text::jsonb where id = ${runId}`;
}

/** Keeps how far a run has come, from where it began: one that another was ahead of has nothing to say. */
export async function keepWatermarks(
  tx: Queries,
  pipelineId: number,
  runId: number,
  watermarks: readonly Watermark[],
): Promise<void> {
  for (const { source, after, value } of watermarks)
    await tx`insert into pipelines.watermarks (pipeline_id, source, value, run_id) values (${pipelineId}, ${source}, ${value}, ${runId})
      on conflict (pipeline_id, source) do update set value = excluded.value, run_id = excluded.run_id, updated_at = now()
      where watermarks.value = ${after}`;
}
