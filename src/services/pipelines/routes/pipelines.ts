/** `/api/v1/pipelines`: made, changed, deployed, run. */
import { Elysia } from "elysia";
import { authenticated, requireRole } from "../access.ts";
import { requireCron } from "../cron.ts";
import type { Definition } from "../definition.ts";
import { idOf, requireNumber } from "../ids.ts";
import { dagIdOf, dagRunIdOf } from "../orchestrate/airflow/names.ts";
import { defaultProject } from "../projects.ts";
import * as schemas from "../schemas.ts";
import {
  changedPipeline,
  listedPipeline,
  madePipeline,
  requestedRun,
  shownRun,
  wholePipeline,
} from "../views.ts";
import { failures, type PipelinesParts, requestRun, tags } from "./parts.ts";

const longestKey = 200;

export function pipelineRoutes(parts: PipelinesParts) {
  const { pipelines, projects, connectors, runs, airflow } = parts;

  /** Fails with `unprocessable`, `notFound` for endpoints that cannot be. */
  async function requireEndpoints({ sources = [], targets = [] }: Partial<Definition>): Promise<void> {
    for (const [list, endpoints] of Object.entries({ sources, targets }))
      for (const [index, { type, connector_id }] of endpoints.entries())
        if (connector_id !== undefined) await connectors.find(requireNumber("connector", connector_id));
        else connectors.requireType(type ?? "", `${list}.${index}.type`);
  }

  const number = (id: string) => requireNumber("pipeline", id);

  /** Numbers of a pipeline that is there and of a run. */
  async function runOf(params: { pipeline_id: string; run_id: string }): Promise<[number, number]> {
    const { id } = await pipelines.find(number(params.pipeline_id));
    return [id, requireNumber("run", params.run_id)];
  }

  return new Elysia({ prefix: "/pipelines", tags })
    .use(authenticated(parts))
    .get(
      "/",
      async ({ query }) => {
        const { limit, offset, project_id, status } = query;
        const filter = {
          projectId: project_id === undefined ? null : requireNumber("project", project_id),
          status: status ?? null,
        };
        const { rows, total } = await pipelines.list(filter, { limit, offset });
        return { items: rows.map(listedPipeline), total, limit, offset };
      },
      {
        query: schemas.pipelineList,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "List pipelines" },
      },
    )
    .post(
      "/",
      async ({ body, caller, status }) => {
        requireRole(caller, "engineer");
        const { sources, transformations, targets, config } = body;
        if (body.schedule) requireCron(body.schedule, config.timezone, "schedule");
        await requireEndpoints({ sources, targets });
        const projectId = body.project_id ? requireNumber("project", body.project_id) : defaultProject;
        await projects.require(projectId);
        const given = {
          projectId,
          name: body.name,
          description: body.description ?? "",
          schedule: body.schedule ?? null,
          definition: { sources, transformations, targets, config },
        };
        return status(201, madePipeline(await pipelines.create(given, caller.account.id)));
      },
      {
        body: schemas.newPipeline,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Make a pipeline" },
      },
    )
    .get(
      "/:pipeline_id",
      async ({ params }) => wholePipeline(await pipelines.find(number(params.pipeline_id))),
      {
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "One pipeline" },
      },
    )
    .put(
      "/:pipeline_id",
      async ({ params, body, caller }) => {
        requireRole(caller, "engineer");
        const id = number(params.pipeline_id);
        const before = await pipelines.find(id);
        const { sources, transformations, targets, config } = body;
        const zone = (config ?? before.definition.config).timezone;
        if (body.schedule) requireCron(body.schedule, zone, "schedule");
        const definition = {
          ...(sources ? { sources } : {}),
          ...(transformations ? { transformations } : {}),
          ...(targets ? { targets } : {}),
          ...(config ? { config } : {}),
        };
        await requireEndpoints(definition);
        const changes = {
          name: body.name,
          description: body.description ?? undefined,
          schedule: body.schedule,
          status: body.status,
          definition,
        };
        const changed = await pipelines.update(id, changes, caller.account.id);
        await airflow?.changed();
        return changedPipeline(changed);
      },
      {
        body: schemas.pipelineChanges,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Change a pipeline", description: "Each change is a new version." },
      },
    )
    .delete(
      "/:pipeline_id",
      async ({ params, caller, set }) => {
        requireRole(caller, "engineer");
        await pipelines.remove(number(params.pipeline_id), caller.account.id);
        await airflow?.changed();
        set.status = 204;
      },
      { response: failures, detail: { summary: "Delete a pipeline", description: "It can be restored." } },
    )
    .get(
      "/:pipeline_id/versions",
      async ({ params }) => ({
        items: (await pipelines.versions(number(params.pipeline_id))).map((version) => ({
          version: version.version,
          schedule: version.schedule,
          created_at: version.created_at.toISOString(),
          created_by: version.created_by === null ? null : `user_${version.created_by}`,
        })),
      }),
      { response: { 200: schemas.anything, ...failures }, detail: { summary: "Versions of a pipeline" } },
    )
    .post(
      "/:pipeline_id/deploy",
      async ({ params, caller }) => {
        requireRole(caller, "engineer");
        const { pipeline, version, at } = await pipelines.deploy(number(params.pipeline_id));
        const dagId = dagIdOf(pipeline.id, version);
        return {
          pipeline_id: idOf("pipeline", pipeline.id),
          status: "deployed",
          airflow_dag_id: dagId,
          deployment_time: at.toISOString(),
          ...(airflow ? { airflow: await airflow.deployed(dagId) } : {}),
        };
      },
      {
        response: { 200: schemas.anything, ...failures },
        detail: {
          summary: "Deploy the newest version",
          description:
            "It is the one that runs from now on. With Airflow, `airflow.status` tells what it made of the DAG file: `written`, `active`, `pending`, `refused`, `failed`.",
        },
      },
    )
    .post(
      "/:pipeline_id/run",
      async ({ params, body, caller, headers, status }) => {
        const request = {
          pipelineId: number(params.pipeline_id),
          parameters: body?.parameters ?? {},
          idempotencyKey: headers["idempotency-key"]?.slice(0, longestKey) ?? null,
          version: body?.version ?? null,
          by: caller.account.id,
        };
        const run = body?.direct
          ? (await runs.request({ ...request, cause: "command" })).run
          : await requestRun(parts, { ...request, cause: "manual" });
        const shown = requestedRun(run, run.status === "pending" ? "running" : run.status);
        const ofAirflow = run.airflow_dag_id === null ? `manual__${shown.started_at}` : dagRunIdOf(run.id);
        return status(202, { ...shown, airflow_run_id: ofAirflow });
      },
      {
        body: schemas.runRequest,
        response: { 202: schemas.anything, ...failures },
        detail: {
          summary: "Run a pipeline",
          description: "Under an `Idempotency-Key` that was used before, the first run is answered.",
        },
      },
    )
    .get(
      "/:pipeline_id/runs",
      async ({ params, query: { status, limit, offset } }) => {
        const { id } = await pipelines.find(number(params.pipeline_id));
        const { rows, total } = await runs.list(id, status ?? null, { limit, offset });
        return { items: rows.map(shownRun), total, limit, offset };
      },
      {
        query: schemas.runList,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Runs of a pipeline" },
      },
    )
    .get(
      "/:pipeline_id/runs/:run_id",
      async ({ params }) => shownRun(await runs.find(...(await runOf(params)))),
      { response: { 200: schemas.anything, ...failures }, detail: { summary: "One run" } },
    )
    .get(
      "/:pipeline_id/runs/:run_id/logs",
      async ({ params, query: { after, limit } }) => {
        const run = await runs.find(...(await runOf(params)));
        return { items: await runs.logs(run.id, after, limit) };
      },
      {
        query: schemas.logQuery,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "What a run told" },
      },
    )
    .post(
      "/:pipeline_id/runs/:run_id/cancel",
      async ({ params, status }) => {
        const run = await runs.cancel(...(await runOf(params)));
        void airflow?.cancelled(run);
        return status(202, shownRun(run));
      },
      { response: { 202: schemas.anything, ...failures }, detail: { summary: "Cancel a run" } },
    );
}
