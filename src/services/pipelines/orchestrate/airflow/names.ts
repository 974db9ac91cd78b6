/** What things are called at Airflow. */
import { idOf } from "../../ids.ts";

/** The DAG of a pipeline at a version, as the document names it. */
export const dagIdOf = (pipelineId: number, version: number): string =>
  `ai_etl_${idOf("pipeline", pipelineId)}_v${version}`;

/** Files of DAGs, by their DAG's name. */
export const isDagFile = (name: string): boolean => /^ai_etl_pipeline_\d+_v\d+\.py$/.test(name);

/** Airflow's run of a run that was asked for here. */
export const dagRunIdOf = (runId: number): string => `quintet__${idOf("run", runId)}`;

/** The run that one of Airflow's stands for; null when it was not asked for here. */
export function runOfDagRun(dagRunId: string): number | null {
  const digits = /^quintet__run_(\d{1,9})$/.exec(dagRunId)?.[1];
  return digits === undefined ? null : Number(digits);
}
