/** What the routes work with. */
import type { AccessParts } from "../access.ts";
import type { Connectors } from "../connectors.ts";
import type { Airflow } from "../orchestrate/airflow/airflow.ts";
import type { Pipelines } from "../pipelines.ts";
import type { Projects } from "../projects.ts";
import type { Run, RunRequest, Runs } from "../runs.ts";
import * as schemas from "../schemas.ts";
import type { Triggers } from "../triggers.ts";

export interface PipelinesParts extends AccessParts {
  projects: Projects;
  pipelines: Pipelines;
  connectors: Connectors;
  runs: Runs;
  triggers: Triggers;
  /** Null: the built-in scheduler does what Airflow would. */
  airflow: Airflow | null;
}

/** Asks for a run from whoever does them. */
export async function requestRun({ airflow, runs }: PipelinesParts, request: RunRequest): Promise<Run> {
  return airflow ? await airflow.request(request) : (await runs.request(request)).run;
}

export const tags = ["Pipelines"];

/** Failures that any of the routes may answer. */
export const failures = {
  400: schemas.failure,
  401: schemas.failure,
  403: schemas.failure,
  404: schemas.failure,
  409: schemas.failure,
  422: schemas.failure,
  429: schemas.failure,
  503: schemas.failure,
};
