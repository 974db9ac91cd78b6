/**
 * The root of every REST route: bodies read within limits, one place where whatever is thrown becomes a failure, and each
 * failure rendered in the shape of the service whose path was asked for.
 */
import { type AnyElysia, Elysia } from "elysia";
import { z } from "zod";
import { databaseAway } from "../database/connect.ts";
import type { Sockets } from "../realtime/sockets.ts";
import type { Service } from "../service.ts";
import type { Log } from "../telemetry/log.ts";
import { rootCause } from "../telemetry/startup-error.ts";
import { readBody, UnreadableBody, unreadable } from "./body.ts";
import { detailEnvelope, type Envelope } from "./envelopes.ts";
import { Failure, notFound, unprocessable } from "./failures.ts";
import type { Requests } from "./requests.ts";
import { problemsOf } from "./validation.ts";
import { wrongMethod } from "./wrong-method.ts";

const platformBodyLimit = 64 * 1024;

/** Stands for a body that its route reads by itself. */
const unread = {};

/** On every answer that does not say otherwise itself: nothing here is a page to be framed, sniffed or cached. */
const defaultHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

export interface AppOptions {
  services: Service[];
  sockets: Sockets;
  requests: Requests;
  log: Log;
}

/** The service that a path belongs to: the one with the longest prefix that fits. */
function serviceFor(services: Service[], path: string): Service | undefined {
  let best: { service: Service; length: number } | undefined;
  for (const service of services)
    for (const prefix of service.prefixes)
      if ((path === prefix || path.startsWith(`${prefix}/`)) && prefix.length > (best?.length ?? 0))
        best = { service, length: prefix.length };
  return best?.service;
}

/** What Elysia's validation says, looked at again with zod, whose issues it does not pass on whole. */
interface ElysiaValidation {
  type: string;
  value: unknown;
  validator: { schema?: unknown };
}

const locations: Record<string, "body" | "query" | "path"> = { body: "body", query: "query", params: "path" };

function validationFailure(error: ElysiaValidation): Failure {
  const location = locations[error.type];
  if (!location) return new Failure("unexpected", "Internal server error", { cause: error });
  if (error.value instanceof UnreadableBody) return unreadable(error.value);
  const schema = error.validator.schema;
  const problems = schema instanceof z.ZodType ? problemsOf(schema, error.value, location) : [];
  return unprocessable("Validation error", { problems });
}

/** Makes a failure of whatever was thrown. Nothing of an unexpected error is shown. */
function failureOf(code: string | number, error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (code === "VALIDATION") return validationFailure(error as ElysiaValidation);
  return databaseAway(error) ?? new Failure("unexpected", "Internal server error", { cause: error });
}

/** How much of a request's body is read. Whether it may be large is asked only where it says that it is, or does not say. */
function limitOf(service: Service | undefined, request: Request): number | Promise<number> {
  const limit = service?.bodyLimit ?? platformBodyLimit;
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!service?.mayBeLarge || limit <= platformBodyLimit || length <= platformBodyLimit) return limit;
  const may = service.mayBeLarge(request);
  return may instanceof Promise
    ? may.then((yes) => (yes ? limit : platformBodyLimit))
    : may
      ? limit
      : platformBodyLimit;
}

/** Methods that each path of `app` answers. A path that stands for itself does not count as one that a parameter would match too. */
function methodsOf(app: AnyElysia): (path: string) => string[] {
  const routes = app.routes
    .filter(({ path, handler }) => handler !== wrongMethod && !path.includes("*"))
    .map(({ method, path }) => {
      const plain = path.replace(/\/$/, "");
      return { method, plain, expression: new RegExp(`^${plain.replace(/:\w+/g, "[^/]+")}$`) };
    });
  return (path) => {
    const asked = path.replace(/\/$/, "");
    const fitting = routes.filter(({ expression }) => expression.test(asked));
    const exact = fitting.filter(({ plain }) => plain === asked);
    return [...new Set((exact.length > 0 ? exact : fitting).map(({ method }) => method))];
  };
}

/** Renders a failure as the answer to a request. */
function answer(failure: Failure, envelope: Envelope, requestId: string): Response {
  const { status, body } = envelope(failure, { requestId });
  const headers = new Headers(failure.options.headers);
  if (failure.options.retryAfter !== undefined)
    headers.set("Retry-After", String(Math.ceil(failure.options.retryAfter)));
  return Response.json(body, { status, headers });
}

/** Builds the app: hooks first (they apply only to what is registered later), then the platform's routes and the services'. */
export function createApp(
  { services, sockets, requests, log }: AppOptions,
  platformRoutes: AnyElysia,
): AnyElysia {
  let allowed: (path: string) => string[] = () => [];

  const noSuchRoute = (path: string): Failure => {
    const methods = allowed(path);
    if (methods.length > 0)
      return new Failure("methodNotAllowed", "Method Not Allowed", {
        headers: { Allow: methods.join(", ") },
      });
    if (sockets.has(path))
      return new Failure("upgradeRequired", "Upgrade Required", { headers: { Upgrade: "websocket" } });
    return notFound("Not Found");
  };

  // A host of one to three letters is a host too: Elysia would otherwise look for the path behind it.
  const app = new Elysia({ handler: { standardHostname: false } })
    .headers(defaultHeaders)
    .onRequest(({ request, set }) => {
      set.headers["x-request-id"] = requests.of(request).id;
    })
    .onError(({ code, error, request }) => {
      const { pathname } = new URL(request.url);
      const isWrongMethod = error instanceof Failure && error.kind === "methodNotAllowed";
      const failure = code === "NOT_FOUND" || isWrongMethod ? noSuchRoute(pathname) : failureOf(code, error);
      const requestId = requests.of(request).id;
      if (failure.kind === "unexpected" || failure.kind === "unavailable")
        log.error({ err: rootCause(failure), requestId, path: pathname }, failure.message);
      return answer(failure, serviceFor(services, pathname)?.envelope ?? detailEnvelope, requestId);
    })
    .onParse({ as: "global" }, ({ request }) => {
      const { pathname } = new URL(request.url);
      const service = serviceFor(services, pathname);
      const path = pathname.replace(/\/$/, "");
      if (service?.streamPaths?.includes(path)) return unread;
      const takesForm = service?.formPaths?.includes(path) ?? false;
      const limit = limitOf(service, request);
      return limit instanceof Promise
        ? limit.then((most) => readBody(request, most, takesForm))
        : readBody(request, limit, takesForm);
    })
    .use(platformRoutes);
  for (const service of services) app.use(service.routes);
  allowed = methodsOf(app);
  return app;
}
