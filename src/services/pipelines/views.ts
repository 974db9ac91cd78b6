/** Pipelines, connectors and runs as the document shows them. */
import type { StoredConnector } from "./connectors.ts";
import type { Endpoint } from "./definition.ts";
import { idOf } from "./ids.ts";
import { dagRunIdOf } from "./orchestrate/airflow/names.ts";
import type { ListedPipeline, Pipeline } from "./pipelines.ts";
import type { Run } from "./runs.ts";

const time = (date: Date | null): string | null => date?.toISOString() ?? null;

const briefPipeline = (pipeline: Omit<Pipeline, "definition">) => ({
  id: idOf("pipeline", pipeline.id),
  project_id: idOf("project", pipeline.project_id),
  name: pipeline.name,
  description: pipeline.description,
  status: pipeline.status,
  version: pipeline.version,
  schedule: pipeline.schedule,
});

export const listedPipeline = (pipeline: ListedPipeline) => ({
  ...briefPipeline(pipeline),
  created_at: time(pipeline.created_at),
  updated_at: time(pipeline.updated_at),
  last_run: pipeline.last_run && {
    id: idOf("run", pipeline.last_run.id),
    status: pipeline.last_run.status,
    started_at: time(pipeline.last_run.started_at),
    finished_at: time(pipeline.last_run.finished_at),
    rows_processed: pipeline.last_run.rows_processed,
  },
});

const shownEndpoint = ({ sealed: _, ...endpoint }: Endpoint) => endpoint;

export const wholePipeline = (pipeline: Pipeline) => ({
  ...briefPipeline(pipeline),
  deployed_version: pipeline.deployed_version,
  next_run: time(pipeline.next_run),
  sources: pipeline.definition.sources.map(shownEndpoint),
  transformations: pipeline.definition.transformations,
  targets: pipeline.definition.targets.map(shownEndpoint),
  config: pipeline.definition.config,
  created_at: time(pipeline.created_at),
  updated_at: time(pipeline.updated_at),
});

export const madePipeline = (pipeline: Pipeline) => ({
  id: idOf("pipeline", pipeline.id),
  project_id: idOf("project", pipeline.project_id),
  name: pipeline.name,
  status: pipeline.status,
  created_at: time(pipeline.created_at),
});

export const changedPipeline = (pipeline: Pipeline) => ({
  id: idOf("pipeline", pipeline.id),
  name: pipeline.name,
  version: pipeline.version,
  updated_at: time(pipeline.updated_at),
});

export const shownRun = (run: Run) => ({
  id: idOf("run", run.id),
  pipeline_id: idOf("pipeline", run.pipeline_id),
  version: run.version,
  status: run.status,
  phase: run.phase,
  cause: run.cause,
  attempt: run.attempt,
  parameters: run.parameters,
  created_at: time(run.created_at),
  started_at: time(run.started_at),
  finished_at: time(run.finished_at),
  duration_seconds:
    run.started_at && run.finished_at
      ? Math.round((run.finished_at.getTime() - run.started_at.getTime()) / 1000)
      : null,
  rows_processed: run.rows_processed,
  metrics: run.metrics,
  ...(run.airflow_dag_id === null
    ? {}
    : { airflow_dag_id: run.airflow_dag_id, airflow_run_id: dagRunIdOf(run.id) }),
  ...(run.error === null || run.status === "success"
    ? {}
    : { error: { code: run.error_code ?? "PIPELINE_EXECUTION_ERROR", message: run.error } }),
});

/** A run that was just asked for: to its client it is running from now on. */
export const requestedRun = (run: Run, status: string) => ({
  run_id: idOf("run", run.id),
  pipeline_id: idOf("pipeline", run.pipeline_id),
  status,
  started_at: time(run.started_at ?? run.created_at),
});

export const shownConnector = (connector: StoredConnector) => ({
  id: idOf("connector", connector.id),
  name: connector.name,
  type: connector.type,
  status: connector.status,
  created_at: time(connector.created_at),
  last_tested: time(connector.last_tested),
  test_status: connector.test_status,
});
