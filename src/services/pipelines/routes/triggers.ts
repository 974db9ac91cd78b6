/** `/api/v1/mvp/triggers`: schedules of their own, and runs by hand. */
import { Elysia } from "elysia";
import { unprocessable } from "../../../platform/http/failures.ts";
import { authenticated, requireRole } from "../access.ts";
import { requireCron } from "../cron.ts";
import { requireNumber } from "../ids.ts";
import * as schemas from "../schemas.ts";
import { triggerView } from "../triggers.ts";
import { requestedRun } from "../views.ts";
import { failures, type PipelinesParts, requestRun, tags } from "./parts.ts";

const missingCron = () =>
  unprocessable("Invalid request parameters", {
    problems: [
      { path: ["body", "config", "cron_expression"], message: "field required", type: "value_error.missing" },
    ],
  });

export function triggerRoutes(parts: PipelinesParts) {
  const { triggers, pipelines } = parts;
  const number = (id: string) => requireNumber("trigger", id);
  const response = { 200: schemas.anything, ...failures };
  return new Elysia({ prefix: "/mvp/triggers", tags })
    .use(authenticated(parts))
    .post(
      "/create",
      async ({ body, caller, status }) => {
        requireRole(caller, "engineer");
        const { cron_expression: expression, timezone, parameters } = body.config;
        if (body.trigger_type === "cron") {
          if (expression === undefined) throw missingCron();
          requireCron(expression, timezone, "config.cron_expression");
        }
        const { id } = await pipelines.find(requireNumber("pipeline", body.pipeline_id));
        const given = {
          name: body.name,
          pipelineId: id,
          type: body.trigger_type,
          config: {
            ...(expression ? { cron_expression: expression } : {}),
            ...(timezone ? { timezone } : {}),
            ...(parameters ? { parameters } : {}),
          },
          enabled: body.enabled,
        };
        const {
          config: _,
          last_run: __,
          ...made
        } = triggerView(await triggers.create(given, caller.account.id));
        return status(201, made);
      },
      {
        body: schemas.newTrigger,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Make a trigger" },
      },
    )
    .post(
      "/manual/:pipeline_id",
      async ({ params, body, caller, status }) => {
        const run = await requestRun(parts, {
          pipelineId: requireNumber("pipeline", params.pipeline_id),
          cause: "trigger",
          parameters: body?.parameters ?? {},
          by: caller.account.id,
        });
        return status(202, requestedRun(run, "triggered"));
      },
      {
        body: schemas.triggeredRun,
        response: { 202: schemas.anything, ...failures },
        detail: { summary: "Trigger a pipeline by hand" },
      },
    )
    .get(
      "/",
      async ({ query: { pipeline_id, limit, offset } }) => {
        const pipelineId = pipeline_id === undefined ? null : requireNumber("pipeline", pipeline_id);
        const { rows, total } = await triggers.list(pipelineId, { limit, offset });
        return { items: rows.map(triggerView), total, limit, offset };
      },
      { query: schemas.triggerList, response, detail: { summary: "List triggers" } },
    )
    .post(
      "/:trigger_id/pause",
      async ({ params, caller }) => {
        requireRole(caller, "engineer");
        return triggerView(await triggers.enable(number(params.trigger_id), false));
      },
      { response, detail: { summary: "Pause a trigger" } },
    )
    .post(
      "/:trigger_id/resume",
      async ({ params, caller }) => {
        requireRole(caller, "engineer");
        return triggerView(await triggers.enable(number(params.trigger_id), true));
      },
      { response, detail: { summary: "Let a trigger go on" } },
    )
    .delete(
      "/:trigger_id",
      async ({ params, caller, set }) => {
        requireRole(caller, "engineer");
        await triggers.remove(number(params.trigger_id), caller.account.id);
        set.status = 204;
      },
      { response: failures, detail: { summary: "Delete a trigger" } },
    );
}
