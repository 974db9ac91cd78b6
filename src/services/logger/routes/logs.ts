/** `/api/logs`: logs come in, and are looked for across projects. */
import { Elysia } from "elysia";
import { UnreadableBody, unreadable } from "../../../platform/http/body.ts";
import { describe } from "../../../platform/http/describe.ts";
import { invalid } from "../../../platform/http/failures.ts";
import { readBatch } from "../ingest/batch-body.ts";
import { projectView } from "../project.ts";
import * as schemas from "../schemas.ts";
import { filters } from "../search/filters.ts";
import type { ProjectRow } from "../tables.ts";
import { administrators, failures, type LoggerParts, tags } from "./parts.ts";

/** These answers are described, not checked: logs go the shortest way. */
const refusals = {
  400: schemas.failure,
  403: schemas.failure,
  404: schemas.failure,
  409: schemas.failure,
  413: schemas.failure,
  422: schemas.failure,
  429: schemas.failure,
  503: schemas.failure,
};

export function logRoutes(parts: LoggerParts) {
  const { guard, ingest, lists, projects, search, system, telegram } = parts;

  /** Counts a request against its address, unless the project takes logs from trusted networks only. */
  const count = (project: ProjectRow, address: string, headers: object) =>
    project.accessLevel === "global" ? guard.count(address, headers) : undefined;

  /** The project of a body; a request that names none counts as well. */
  async function projectOf(body: unknown, address: string, headers: object): Promise<ProjectRow> {
    try {
      const found = ingest.projectOf(body, address);
      return found instanceof Promise ? await found : found;
    } catch (error) {
      await guard.count(address, headers);
      throw error;
    }
  }

  const open = new Elysia({ prefix: "/logs", tags })
    .post(
      "/",
      async ({ body, request, set }) => {
        const address = guard.admit(request);
        if (body instanceof UnreadableBody) throw unreadable(body);
        const project = await projectOf(body, address, set.headers);
        const counted = count(project, address, set.headers);
        if (counted) await counted;
        const { id, log } = await ingest.store(project, body, address);
        set.status = 201;
        return {
          _id: id,
          projectUuid: project.uuid,
          level: log.level,
          message: log.message,
          tags: log.tags,
          timestamp: new Date(log.at).toISOString(),
          metadata: log.metadata,
          clientIP: address,
          rateLimitPerMinute: lists.rateLimit,
        };
      },
      {
        detail: {
          summary: "Take a log in",
          description: "Answered once it is stored for good.",
          ...describe({ body: schemas.newLog, answers: { 201: schemas.storedLog, ...refusals } }),
        },
      },
    )
    .post(
      "/batch",
      async ({ request, set, query }) => {
        const address = guard.admit(request);
        const { uuid, logs } = await readBatch(request);
        const project = await projectOf({ uuid: uuid ?? query.uuid }, address, set.headers);
        await count(project, address, set.headers);
        const errors = await ingest.storeMany(project, logs, address);
        const accepted = logs.length - errors.length;
        set.status = accepted > 0 ? 201 : 400;
        return {
          message: accepted > 0 ? "Логи приняты" : "Ни один лог не принят",
          accepted,
          refused: errors.length,
          errors,
        };
      },
      {
        detail: {
          ...describe({
            body: schemas.logBatch,
            answers: { ...refusals, 201: schemas.batchOutcome, 400: schemas.batchOutcome },
          }),
          summary: "Take many logs in",
          description:
            "A JSON array, `{uuid, logs}` or NDJSON, of one project (`?uuid=`), as it is or packed with gzip or zstd; at most 10,000. Refused ones are told by their place.",
        },
      },
    );

  const guarded = new Elysia({ prefix: "/logs", tags })
    .use(administrators(parts))
    .get(
      "/",
      async ({ query: { uuid, limit, before, ...given } }) => {
        const project = await projects.find(uuid);
        return {
          project: projectView(project, telegram.link),
          logs: await search.find(project, given, { limit, before }),
        };
      },
      {
        query: schemas.logsQuery,
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Search logs" },
      },
    )
    .delete(
      "/:uuid",
      async ({ params, body, query, address }) => {
        const project = await projects.find(params.uuid);
        if (body instanceof UnreadableBody) throw unreadable(body);
        const given = filters.safeParse({ ...query, ...(body as object | undefined) });
        // A filter that is not understood would make the deletion a larger one.
        if (
          !given.success ||
          (body !== undefined && body !== null && (typeof body !== "object" || Array.isArray(body)))
        )
          throw invalid("Некорректные фильтры удаления");
        const deleted = await search.remove(project, given.data);
        system.note({
          level: "INFO",
          kind: "SETTINGS",
          message: "Логи удалены",
          address,
          details: { projectUuid: project.uuid, deleted },
        });
        return { deleted };
      },
      {
        response: { 200: schemas.anything, ...failures },
        detail: { summary: "Delete logs", description: "All of a project, or those that the filters name." },
      },
    );

  return new Elysia().use(open).use(guarded);
}
