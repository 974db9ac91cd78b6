/** `/api/projects`: projects, their logs. */
import { Elysia } from "elysia";
import { invalid, notFound } from "../../../platform/http/failures.ts";
import type { ProjectView } from "../project.ts";
import { projectView } from "../project.ts";
import type { ProjectFields } from "../projects.ts";
import * as schemas from "../schemas.ts";
import { exportLogs } from "../search/export.ts";
import type { ProjectRow } from "../tables.ts";
import { administrators, failures, type LoggerParts, tags } from "./parts.ts";

const dayMilliseconds = 86_400_000;
const facetSample = 100_000;
const response = { 200: schemas.anything, ...failures };

export function projectRoutes(parts: LoggerParts) {
  const { projects, search, system, telegram, seal } = parts;
  const view = (project: ProjectRow): ProjectView => projectView(project, telegram.link);

  /** The fields to store; a webhook's secret is sealed, and kept when it is not given anew. */
  function fieldsOf(body: schemas.ProjectChanges, before: ProjectRow | null): Partial<ProjectFields> {
    const { uuid: _, webhookNotify, ...rest } = body;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    if (webhookNotify === undefined) return given;
    if (webhookNotify === null) return { ...given, webhookNotify: null };
    const { secret, ...target } = webhookNotify;
    const kept = before?.webhookNotify?.secret ?? null;
    const sealed = secret === undefined ? kept : secret === null ? null : seal(secret);
    return { ...given, webhookNotify: { ...target, secret: sealed } };
  }

  const note = (message: string, address: string, project: ProjectRow) =>
    system.note({
      level: "INFO",
      kind: "SETTINGS",
      message,
      address,
      details: { projectUuid: project.uuid, projectName: project.name },
    });

  return new Elysia({ prefix: "/projects", tags })
    .use(administrators(parts))
    .post(
      "/",
      async ({ body, address, status }) => {
        const project = await projects.create({ ...fieldsOf(body, null), name: body.name });
        note("Проект создан", address, project);
        return status(201, view(project));
      },
      {
        body: schemas.newProject,
        response: { 201: schemas.anything, ...failures },
        detail: { summary: "Create a project" },
      },
    )
    .get("/", async () => (await projects.list()).map(view), {
      response,
      detail: { summary: "List projects", description: "Newest first." },
    })
    .get("/:uuid", async ({ params }) => view(await projects.find(params.uuid)), {
      response,
      detail: { summary: "One project" },
    })
    .put(
      "/:uuid",
      async ({ params, body, address }) => {
        const before = await projects.find(params.uuid);
        if (body.uuid !== undefined && body.uuid !== params.uuid) throw invalid("UUID проекта менять нельзя");
        const project = await projects.update(params.uuid, fieldsOf(body, before));
        note("Проект изменён", address, project);
        return view(project);
      },
      { body: schemas.projectChanges, response, detail: { summary: "Change a project" } },
    )
    .delete(
      "/:uuid",
      async ({ params, address }) => {
        const project = await projects.find(params.uuid);
        const removed = await projects.remove(params.uuid);
        note("Проект удалён", address, project);
        return { message: "Проект удален", ...removed };
      },
      { response, detail: { summary: "Delete a project with its logs and ping services" } },
    )
    .get(
      "/:uuid/logs",
      async ({ params, query: { limit, before, ...filters } }) => {
        const project = await projects.find(params.uuid);
        return { project: view(project), logs: await search.find(project, filters, { limit, before }) };
      },
      {
        query: schemas.searchQuery,
        response,
        detail: { summary: "Search logs", description: "Newest first, at most 5000." },
      },
    )
    .get(
      "/:uuid/histogram",
      async ({ params, query: { interval, ...filters } }) => {
        const project = await projects.find(params.uuid);
        const endDate = filters.endDate ?? new Date();
        const startDate = filters.startDate ?? new Date(endDate.getTime() - dayMilliseconds);
        const seconds = schemas.stepSeconds[interval ?? "1h"];
        if ((endDate.getTime() - startDate.getTime()) / 1000 / seconds > 2000)
          throw invalid("Слишком мелкий шаг для такого периода");
        const buckets = await search.histogram(project, { ...filters, startDate, endDate }, seconds);
        return {
          startDate: startDate.toISOString(),
          endDate: endDate.toISOString(),
          intervalSeconds: seconds,
          buckets,
        };
      },
      { query: schemas.histogramQuery, response, detail: { summary: "Logs over time, by level" } },
    )
    .get(
      "/:uuid/facets",
      async ({ params, query: { top, ...filters } }) =>
        await search.facets(await projects.find(params.uuid), filters, { sample: facetSample, top }),
      { query: schemas.facetsQuery, response, detail: { summary: "The commonest values of each field" } },
    )
    .get(
      "/:uuid/export",
      async ({ params, query: { format, ...filters } }) => {
        const project = await projects.find(params.uuid);
        return exportLogs(search.all(project, filters), format, `logs-${project.uuid}`);
      },
      {
        query: schemas.exportQuery,
        response: failures,
        detail: { summary: "All logs that match, as NDJSON or CSV" },
      },
    )
    .get(
      "/:uuid/telegram",
      async ({ params }) => {
        const project = await projects.find(params.uuid);
        return { ...project.telegramNotify, telegramLinks: view(project).telegramLinks };
      },
      { response, detail: { summary: "Who is told in Telegram" } },
    )
    .delete(
      "/:uuid/telegram/recipients/:chatId",
      async ({ params, address }) => {
        const { telegramNotify } = await projects.find(params.uuid);
        const recipients = telegramNotify.recipients.filter(({ chatId }) => chatId !== params.chatId);
        if (recipients.length === telegramNotify.recipients.length) throw notFound("Получатель не найден");
        const project = await projects.update(params.uuid, {
          telegramNotify: { ...telegramNotify, recipients },
        });
        note("Получатель Telegram удалён", address, project);
        return project.telegramNotify;
      },
      { response, detail: { summary: "Stop telling a chat" } },
    );
}
