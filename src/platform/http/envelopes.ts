/** How failures look. Each service answers in its own shape; the shapes that documents share are made here. */
import type { Failure, FailureKind, Problem } from "./failures.ts";

/** What an envelope may say beside the failure itself. */
export interface FailureContext {
  requestId: string;
}

/** Turns a failure into the status and body of an answer. */
export type Envelope = (failure: Failure, context: FailureContext) => { status: number; body: object };

/** HTTP status of each kind of failure; a service's envelope may deviate where its document does. */
export const statusOf: Record<FailureKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  notFound: 404,
  methodNotAllowed: 405,
  conflict: 409,
  tooLarge: 413,
  unprocessable: 422,
  locked: 423,
  upgradeRequired: 426,
  tooMany: 429,
  unexpected: 500,
  unavailable: 503,
};

const detailOf = (problem: Problem) => ({
  loc: problem.path,
  msg: problem.message,
  type: problem.type,
  ...(problem.context ? { ctx: problem.context } : {}),
});

const detail = (failure: Failure) =>
  failure.options.problems?.length ? failure.options.problems.map(detailOf) : failure.message;

/** `{"detail": …}`: Collector and platform, as FastAPI answers. */
export const detailEnvelope: Envelope = (failure) => ({
  status: statusOf[failure.kind],
  body: { detail: detail(failure) },
});

const pipelineCodes: Record<FailureKind, string> = {
  invalid: "VALIDATION_ERROR",
  unauthenticated: "AUTH_FAILED",
  forbidden: "PERMISSION_DENIED",
  notFound: "RESOURCE_NOT_FOUND",
  methodNotAllowed: "METHOD_NOT_ALLOWED",
  conflict: "DUPLICATE_RESOURCE",
  tooLarge: "PAYLOAD_TOO_LARGE",
  unprocessable: "VALIDATION_ERROR",
  locked: "LOCKED",
  upgradeRequired: "UPGRADE_REQUIRED",
  tooMany: "RATE_LIMIT_EXCEEDED",
  unexpected: "INTERNAL_ERROR",
  unavailable: "SERVICE_UNAVAILABLE",
};

/** The first problem by name, and all of them where there are more: `details` of the pipelines document. */
function detailsOf(failure: Failure): Record<string, unknown> {
  const problems = (failure.options.problems ?? []).map(({ path, message }) => ({
    field: path.slice(1).join("."),
    reason: message,
  }));
  const [first] = problems;
  return { ...failure.options.details, ...first, ...(problems.length > 1 ? { problems } : {}) };
}

/** `{"error": {code, message, details, request_id}}`: Pipelines. */
export const errorEnvelope: Envelope = (failure, { requestId }) => ({
  status: statusOf[failure.kind],
  body: {
    error: {
      code: failure.options.code ?? pipelineCodes[failure.kind],
      message: failure.message,
      details: detailsOf(failure),
      request_id: requestId,
    },
  },
});

/** Both of the above at once: Accounts, which two documents describe. */
export const bothEnvelope: Envelope = (failure, context) => ({
  status: statusOf[failure.kind],
  body: { ...detailEnvelope(failure, context).body, ...errorEnvelope(failure, context).body },
});

/** `{"message", "code"?, "errors"?}`: Logger. */
export const messageEnvelope: Envelope = (failure) => ({
  status: failure.kind === "unprocessable" ? 400 : statusOf[failure.kind],
  body: {
    message: failure.message,
    ...(failure.options.code ? { code: failure.options.code } : {}),
    ...(failure.options.problems?.length
      ? {
          errors: failure.options.problems.map((p) => ({
            field: p.path.slice(1).join("."),
            message: p.message,
          })),
        }
      : {}),
  },
});

/** What a failure is called in a service's own table. */
export interface Words {
  code: string;
  message: string;
  details: string;
}

/** `{"success": false, "error": {code, message, details}, "timestamp"}`: Messenger. `now` gives the time. */
export const successEnvelope =
  (now: () => Date, wordsOf: (failure: Failure) => Words | null): Envelope =>
  (failure) => ({
    status: failure.kind === "unprocessable" ? 400 : statusOf[failure.kind],
    body: {
      success: false,
      error: wordsOf(failure) ?? {
        code: pipelineCodes[failure.kind],
        message: failure.message,
        details: failure.message,
      },
      timestamp: now().toISOString(),
    },
  });
