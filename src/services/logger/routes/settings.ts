/** `/api/settings`: whitelist, blacklist, rate limit, Telegram. */
import { Elysia } from "elysia";
import { invalid } from "../../../platform/http/failures.ts";
import { objectId } from "../object-id.ts";
import * as schemas from "../schemas.ts";
import type { blacklist } from "../tables.ts";
import { administrators, failures, type LoggerParts, tags } from "./parts.ts";

const response = { 200: schemas.anything, ...failures };
const made = { 201: schemas.anything, ...failures };

const blockView = (row: typeof blacklist.$inferSelect) => ({
  _id: objectId(row.createdAt, row.id),
  ip: row.ip,
  reason: row.reason,
  expiresAt: row.expiresAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

function requireFuture(expiresAt: Date | null | undefined): void {
  if (expiresAt && expiresAt.getTime() <= Date.now()) throw invalid("Дата окончания уже прошла");
}

export function settingsRoutes(parts: LoggerParts) {
  const { lists, system, telegram } = parts;
  const note = (message: string, address: string, details: Record<string, unknown>) =>
    system.note({ level: "INFO", kind: "SETTINGS", message, address, details });

  return new Elysia({ prefix: "/settings", tags })
    .use(administrators(parts))
    .get("/whitelist", () => lists.listWhitelist(), {
      response,
      detail: { summary: "Addresses that no limit holds for" },
    })
    .post(
      "/whitelist",
      async ({ body, address, status }) => {
        const entry = await lists.allow(body.ip, body.description ?? "");
        note("IP добавлен в белый список", address, { ip: entry.ip });
        const { ip, description, createdAt, isProtected } = entry;
        return status(201, { ip, description, createdAt, isProtected });
      },
      {
        body: schemas.whitelistEntry,
        response: made,
        detail: { summary: "Add an address to the whitelist, or describe it anew" },
      },
    )
    .delete(
      "/whitelist/*",
      async ({ params, address }) => {
        const ip = decodeURIComponent(params["*"]);
        await lists.disallow(ip);
        note("IP удалён из белого списка", address, { ip });
        return { message: "IP удалён из белого списка", ip };
      },
      { response, detail: { summary: "Take an address off the whitelist" } },
    )
    .get("/blacklist", async () => (await lists.listBlocks()).map(blockView), {
      response,
      detail: { summary: "Addresses that are shut out" },
    })
    .post(
      "/blacklist",
      async ({ body, address, status }) => {
        requireFuture(body.expiresAt);
        const row = await lists.block(body.ip, body.reason, body.expiresAt ?? null);
        note("IP заблокирован", address, { ip: row.ip, reason: row.reason });
        return status(201, blockView(row));
      },
      {
        body: schemas.newBlock,
        response: { ...made, 409: schemas.failure },
        detail: { summary: "Shut an address or network out" },
      },
    )
    .put(
      "/blacklist/:id",
      async ({ params, body, address }) => {
        requireFuture(body.expiresAt);
        const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
        const row = await lists.changeBlock(params.id, given);
        note("Блокировка изменена", address, { ip: row.ip, reason: row.reason });
        return blockView(row);
      },
      {
        body: schemas.blockChanges,
        response: { ...response, 409: schemas.failure },
        detail: { summary: "Change a block" },
      },
    )
    .delete(
      "/blacklist/:id",
      async ({ params, address }) => {
        const row = await lists.unblock(params.id);
        note("Блокировка снята", address, { ip: row.ip });
        return { message: "Блокировка снята", ...blockView(row) };
      },
      { response, detail: { summary: "Lift a block" } },
    )
    .get("/rate-limit", () => ({ rateLimitPerMinute: lists.rateLimit }), {
      response,
      detail: { summary: "Requests a minute that an address may send" },
    })
    .put(
      "/rate-limit",
      async ({ body, address }) => {
        await lists.setRateLimit(body.rateLimitPerMinute);
        note("Лимит запросов изменён", address, body);
        return body;
      },
      { body: schemas.rateLimit, response, detail: { summary: "Change the rate limit" } },
    )
    .get("/telegram-status", () => telegram.status(), {
      response,
      detail: { summary: "Whether the bot works" },
    })
    .get("/telegram-url", () => telegram.publicLink(), { response, detail: { summary: "Link to the bot" } });
}
