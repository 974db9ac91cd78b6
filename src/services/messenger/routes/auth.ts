/** `/auth`: chapter 4 of the document. */
import { Elysia } from "elysia";
import { type Actor, record } from "../../../platform/identity/audit.ts";
import { tokenLifetimes } from "../../../platform/identity/session-rows.ts";
import { accountFailure, failure, requirePassword } from "../envelope.ts";
import * as schemas from "../schemas.ts";
import { briefUser, ownUser, registeredUser } from "../views.ts";
import { failures, guarded, type MessengerParts, members, tags } from "./parts.ts";

export function authRoutes(parts: MessengerParts) {
  const { identity, requests, registration, presence, orm } = parts;
  const { accounts, sessions, logins } = identity;

  const open = new Elysia({ prefix: "/auth", tags })
    .post(
      "/register",
      async ({ body, request, status }) => {
        if (registration === "closed") throw failure("AUTH_004", "Регистрация закрыта");
        const { username, password, display_name } = body;
        requirePassword(password);
        const actor: Actor = { accountId: null, address: requests.of(request).address };
        const given = { username, password, email: null, fullName: display_name ?? null };
        const account = await accounts.register(given, actor).catch((error: unknown) => {
          throw accountFailure(error);
        });
        return status(201, {
          success: true as const,
          data: registeredUser(account),
          message: "Регистрация успешна",
        });
      },
      {
        body: schemas.registration,
        response: { 201: schemas.registered, 403: schemas.failure, 409: schemas.failure, ...failures },
        detail: { summary: "Register", description: "The very first user is an administrator." },
      },
    )
    .post(
      "/login",
      async ({ body, request }) => {
        const { address } = requests.of(request);
        const { account, grant } = await logins.logIn({
          ...body,
          address,
          surface: "messenger",
          lock: "pair",
        });
        return {
          success: true as const,
          data: {
            access_token: grant.accessToken,
            token_type: "bearer" as const,
            expires_in: tokenLifetimes.messenger,
            user: briefUser(account),
          },
          message: "Вход выполнен успешно",
        };
      },
      {
        body: schemas.credentials,
        response: { 200: schemas.loggedIn, 401: schemas.failure, 429: schemas.failure, ...failures },
        detail: { summary: "Log in" },
      },
    );

  const own = new Elysia({ prefix: "/auth", tags })
    .use(members(parts))
    .get(
      "/me",
      ({ caller: { account } }) => ({
        success: true as const,
        data: ownUser(account, presence.isOnline(account.id)),
      }),
      { response: { 200: schemas.data, ...guarded }, detail: { summary: "Who I am" } },
    )
    .post(
      "/logout",
      async ({ caller, request }) => {
        const { id, username } = caller.account;
        await sessions.end(caller.sessionId);
        const actor: Actor = { accountId: id, address: requests.of(request).address };
        await record(orm, { event: "logout", accountId: id, username, actor });
        return { success: true as const, message: "Выход выполнен успешно" };
      },
      { response: { 200: schemas.done, ...guarded }, detail: { summary: "Log out" } },
    );

  return new Elysia().use(open).use(own);
}
