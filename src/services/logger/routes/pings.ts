/** `/api/projects/:uuid/ping-services`: what is watched. */
import { Elysia } from "elysia";
import { pingView } from "../ping/ping-services.ts";
import * as schemas from "../schemas.ts";
import { administrators, failures, type LoggerParts, tags } from "./parts.ts";

const response = { 200: schemas.anything, ...failures };

export function pingRoutes(parts: LoggerParts) {
  const { pings, projects, history } = parts;
  return new Elysia({ prefix: "/projects/:uuid/ping-services", tags })
    .use(administrators(parts))
    .post(
      "/",
      async ({ params, body, status }) => {
        const { id, uuid } = await projects.find(params.uuid);
        return status(201, pingView(await pings.create(id, body), uuid));
      },
      {
        body: schemas.newPing,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Watch a service", description: "It is checked once before the answer." },
      },
    )
    .get(
      "/",
      async ({ params }) => {
        const { id, uuid } = await projects.find(params.uuid);
        return (await pings.list(id)).map((row) => pingView(row, uuid));
      },
      { response, detail: { summary: "List watched services" } },
    )
    .post(
      "/check",
      async ({ params, body }) => {
        const { id, uuid } = await projects.find(params.uuid);
        return (await pings.checkNow(id, body?.serviceId ?? null)).map((row) => pingView(row, uuid));
      },
      { body: schemas.pingCheck, response, detail: { summary: "Check all services, or one, now" } },
    )
    .put(
      "/:serviceId",
      async ({ params, body }) => {
        const { id, uuid } = await projects.find(params.uuid);
        return pingView(await pings.update(id, params.serviceId, body), uuid);
      },
      {
        body: schemas.pingChanges,
        response,
        detail: { summary: "Change a watched service", description: "It is checked at once." },
      },
    )
    .delete(
      "/:serviceId",
      async ({ params }) => {
        const { id } = await projects.find(params.uuid);
        return { message: "Ping-сервис удален", serviceId: await pings.remove(id, params.serviceId) };
      },
      { response, detail: { summary: "Stop watching a service" } },
    )
    .get(
      "/:serviceId/history",
      async ({ params }) => {
        const project = await projects.find(params.uuid);
        const row = await pings.find(project.id, params.serviceId);
        const [uptime, recent] = await Promise.all([history.uptime(row.id), history.recent(row.id)]);
        return { service: pingView(row, project.uuid), uptime, ...recent };
      },
      { response, detail: { summary: "Uptime and history of a service" } },
    );
}
