/** What the routes work with. */
import type { AccessParts } from "../access.ts";
import type { Connectors } from "../connectors.ts";
import type { Pipelines } from "../pipelines.ts";
import type { Projects } from "../projects.ts";
import type { Runs } from "../runs.ts";
import * as schemas from "../schemas.ts";
import type { Triggers } from "../triggers.ts";

export interface PipelinesParts extends AccessParts {
  projects: Projects;
  pipelines: Pipelines;
  connectors: Connectors;
  runs: Runs;
  triggers: Triggers;
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
