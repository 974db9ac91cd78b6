/** `/admin`: chapter 7 of the document. */
import { Elysia } from "elysia";
import { streamOf } from "../../../platform/http/streamed.ts";
import { exportCsv, exportJson } from "../admin/export.ts";
import { listMessages, messageCounts } from "../admin/lists.ts";
import { statsOf } from "../admin/stats.ts";
import { pageOf, paginationOf } from "../paging.ts";
import * as schemas from "../schemas.ts";
import { listUsers } from "../users.ts";
import { briefUser, ownUser } from "../views.ts";
import { administrators, guarded, type MessengerParts, tags } from "./parts.ts";

const success = true as const;
const responses = { ...guarded, 403: schemas.failure };

/** `20260119` */
const dayOf = (now: number): string => new Date(now).toISOString().slice(0, 10).replaceAll("-", "");

export function adminRoutes(parts: MessengerParts) {
  const { sql, orm, presence, hub, now } = parts;
  const startedAt = now();
  return new Elysia({ prefix: "/admin", tags })
    .use(administrators(parts))
    .get(
      "/users",
      async ({ query }) => {
        const page = pageOf(query);
        const { users, total } = await listUsers(
          orm,
          {
            search: query.search,
            includeInactive: query.include_inactive,
            sortBy: query.sort_by,
            sortOrder: query.sort_order,
          },
          page,
        );
        const counts = await messageCounts(
          sql,
          users.map(({ id }) => id),
        );
        const data = users.map((user) => ({
          ...briefUser(user),
          ...ownUser(user, presence.isOnline(user.id)),
          message_count: counts.get(user.id) ?? 0,
          is_active: user.isActive,
        }));
        return { success, data, pagination: paginationOf(page, total) };
      },
      {
        query: schemas.adminUsers,
        response: { 200: schemas.list, ...responses },
        detail: { summary: "All users" },
      },
    )
    .get(
      "/messages",
      async ({ query }) => {
        const page = pageOf(query);
        const filter = {
          userId: query.user_id,
          type: query.type,
          from: query.date_from,
          to: query.date_to,
        };
        const { messages, total } = await listMessages(sql, filter, query.sort_order, page);
        return { success, data: messages, pagination: paginationOf(page, total) };
      },
      {
        query: schemas.adminMessages,
        response: { 200: schemas.list, ...responses },
        detail: { summary: "All messages", description: "Newest first." },
      },
    )
    .get(
      "/stats",
      async () => {
        const time = now();
        const data = await statsOf({
          sql,
          uptime: time - startedAt,
          online: presence.online().length,
          connections: hub.connections,
          now: time,
        });
        return { success, data };
      },
      { response: { 200: schemas.data, ...responses }, detail: { summary: "Numbers" } },
    )
    .get(
      "/export/:data_type",
      ({ params: { data_type: type }, query: { format, date_from: from, date_to: to } }) => {
        const span = { from, to };
        if (format === "json")
          return new Response(streamOf(exportJson(sql, type, span)), {
            headers: { "Content-Type": "application/json; charset=utf-8" },
          });
        return new Response(streamOf(exportCsv(sql, type, span)), {
          headers: {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": `attachment; filename="${type}_export_${dayOf(now())}.csv"`,
          },
        });
      },
      {
        params: schemas.exportPath,
        query: schemas.exportQuery,
        response: { 200: schemas.data, ...responses },
        detail: { summary: "Everything as a file", description: "JSON or CSV, streamed at any size." },
      },
    );
}
