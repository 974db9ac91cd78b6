/** `/api/v1/projects`: ours; architects make them. */
import { Elysia } from "elysia";
import { authenticated, requireRole } from "../access.ts";
import { requireNumber } from "../ids.ts";
import * as schemas from "../schemas.ts";
import { failures, type PipelinesParts, tags } from "./parts.ts";

export function projectRoutes(parts: PipelinesParts) {
  const { projects, airflow } = parts;
  const number = (id: string) => requireNumber("project", id);
  const response = { 200: schemas.anything, ...failures };
  return new Elysia({ prefix: "/projects", tags })
    .use(authenticated(parts))
    .get(
      "/",
      async ({ query }) => {
        const { limit, offset } = query;
        return { ...(await projects.list({ limit, offset })), limit, offset };
      },
      { query: schemas.list, response, detail: { summary: "List projects of pipelines" } },
    )
    .post(
      "/",
      async ({ body, caller, status }) => {
        requireRole(caller, "architect");
        return status(201, await projects.create(body.name, body.description, caller.account.id));
      },
      {
        body: schemas.newProject,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Make a project of pipelines" },
      },
    )
    .get("/:project_id", ({ params }) => projects.find(number(params.project_id)), {
      response,
      detail: { summary: "One project of pipelines" },
    })
    .put(
      "/:project_id",
      ({ params, body, caller }) => {
        requireRole(caller, "architect");
        return projects.update(number(params.project_id), body);
      },
      { body: schemas.projectChanges, response, detail: { summary: "Change a project of pipelines" } },
    )
    .delete(
      "/:project_id",
      async ({ params, caller, set }) => {
        requireRole(caller, "architect");
        await projects.remove(number(params.project_id), caller.account.id);
        await airflow?.changed();
        set.status = 204;
      },
      {
        response: failures,
        detail: { summary: "Delete a project of pipelines", description: "With its pipelines." },
      },
    );
}
