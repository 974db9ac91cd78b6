/** `/api/auth`: administrators log in. */
import { Elysia } from "elysia";
import { Failure, locked, unauthenticated } from "../../../platform/http/failures.ts";
import * as schemas from "../schemas.ts";
import { failures, type LoggerParts, tags } from "./parts.ts";

/** The document's words for what a login may fail with. */
function translated(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  if (error.kind === "unauthenticated") return unauthenticated("Неверные учётные данные");
  if (error.kind === "locked")
    return locked("IP временно заблокирован после множества попыток", error.options);
  return error;
}

export const authRoutes = (parts: LoggerParts) =>
  new Elysia({ prefix: "/auth", tags }).post(
    "/login",
    async ({ body, request, set }) => {
      const address = parts.guard.admit(request);
      await parts.guard.count(address, set.headers);
      const note = { kind: "LOGIN", address, details: { username: body.username.slice(0, 100) } };
      try {
        const { grant } = await parts.logins.logIn({
          ...body,
          address,
          surface: "logger",
          lock: "address",
          accepts: ({ role }) => role === "admin",
        });
        parts.system.note({ ...note, level: "INFO", message: "Вход администратора" });
        return { token: grant.accessToken, expiresIn: grant.expiresIn };
      } catch (error) {
        if (error instanceof Failure)
          parts.system.note({ ...note, kind: "LOGIN_FAILED", level: "SECURITY", message: "Неудачный вход" });
        throw translated(error);
      }
    },
    {
      body: schemas.credentials,
      response: { 200: schemas.anything, 423: schemas.failure, ...failures },
      detail: { summary: "Log in as an administrator", description: "423 after five failures in a row." },
    },
  );
