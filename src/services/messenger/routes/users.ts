/** `/users`: chapter 5 of the document. */
import { Elysia } from "elysia";
import type { Actor } from "../../../platform/identity/audit.ts";
import { accountFailure, failure, requirePassword } from "../envelope.ts";
import { pageOf, paginationOf } from "../paging.ts";
import * as schemas from "../schemas.ts";
import { listUsers } from "../users.ts";
import { briefUser, listedUser, oneUser } from "../views.ts";
import { accountIdOf, guarded, type MessengerParts, members, tags } from "./parts.ts";

export function userRoutes(parts: MessengerParts) {
  const { identity, requests, presence, orm } = parts;
  const { accounts } = identity;

  const find = async (id: number) => {
    const account = await accounts.find(id).catch((error: unknown) => {
      throw accountFailure(error);
    });
    if (!account.isActive) throw failure("USER_001");
    return account;
  };

  return new Elysia({ prefix: "/users", tags })
    .use(members(parts))
    .get(
      "/",
      async ({ query }) => {
        const page = pageOf(query);
        const { users, total } = await listUsers(
          orm,
          {
            search: query.search,
            ids: query.online_only ? presence.online() : undefined,
            sortBy: query.sort_by,
            sortOrder: query.sort_order,
          },
          page,
        );
        return {
          success: true as const,
          data: users.map((user) => listedUser(user, presence.isOnline(user.id))),
          pagination: paginationOf(page, total),
        };
      },
      {
        query: schemas.userList,
        response: { 200: schemas.list, ...guarded },
        detail: { summary: "List users" },
      },
    )
    .get(
      "/:user_id",
      async ({ params }) => {
        const account = await find(accountIdOf(params.user_id));
        return { success: true as const, data: oneUser(account, presence.isOnline(account.id)) };
      },
      {
        params: schemas.userPath,
        response: { 200: schemas.data, 404: schemas.failure, ...guarded },
        detail: { summary: "One user" },
      },
    )
    .put(
      "/:user_id",
      async ({ params, body, caller, request }) => {
        const { id } = await find(accountIdOf(params.user_id));
        if (id !== caller.account.id) throw failure("AUTH_004", "Можно изменять только свой профиль");
        if (typeof body.password === "string") requirePassword(body.password);
        const actor: Actor = { accountId: id, address: requests.of(request).address };
        const changes = {
          fullName: body.display_name ?? undefined,
          password: body.password ?? undefined,
        };
        const account = await accounts
          .update(id, changes, actor, caller.sessionId)
          .catch((error: unknown) => {
            throw accountFailure(error);
          });
        return { success: true as const, data: briefUser(account), message: "Профиль обновлен" };
      },
      {
        params: schemas.userPath,
        body: schemas.profile,
        response: { 200: schemas.data, 403: schemas.failure, 404: schemas.failure, ...guarded },
        detail: {
          summary: "Change one's own profile",
          description: "A new password ends all other sessions of the user.",
        },
      },
    );
}
