import { expect, test } from "bun:test";
import {
  bothEnvelope,
  detailEnvelope,
  type Envelope,
  errorEnvelope,
  messageEnvelope,
  successEnvelope,
} from "../../../src/platform/http/envelopes.ts";
import { Failure, notFound, unprocessable } from "../../../src/platform/http/failures.ts";

const context = { requestId: "req_abc123" };
const missing = notFound("Resource not found");
const malformed = unprocessable("Invalid request parameters", {
  problems: [
    { path: ["body", "email"], message: "Invalid email format", type: "value_error.email" },
    { path: ["body", "tags", 0], message: "str type expected", type: "type_error.str", context: { n: 1 } },
  ],
});
const list = [
  { loc: ["body", "email"], msg: "Invalid email format", type: "value_error.email" },
  { loc: ["body", "tags", 0], msg: "str type expected", type: "type_error.str", ctx: { n: 1 } },
];
const error = (code: string, message: string, details: object) => ({
  code,
  message,
  details,
  request_id: "req_abc123",
});
const invalidDetails = {
  field: "email",
  reason: "Invalid email format",
  problems: [
    { field: "email", reason: "Invalid email format" },
    { field: "tags.0", reason: "str type expected" },
  ],
};
const now = () => new Date("2026-01-02T03:04:05.678Z");
const words = ({ message }: Failure) => ({ code: "AUTH_003", message, details: "Токен невалиден" });

test.each<[string, Envelope, Failure, number, object]>([
  ["detail", detailEnvelope, missing, 404, { detail: "Resource not found" }],
  ["detail", detailEnvelope, malformed, 422, { detail: list }],
  ["error", errorEnvelope, missing, 404, { error: error("RESOURCE_NOT_FOUND", "Resource not found", {}) }],
  [
    "error",
    errorEnvelope,
    malformed,
    422,
    { error: error("VALIDATION_ERROR", "Invalid request parameters", invalidDetails) },
  ],
  [
    "error",
    errorEnvelope,
    new Failure("unauthenticated", "Token expired", { code: "TOKEN_EXPIRED", details: { at: 1 } }),
    401,
    { error: error("TOKEN_EXPIRED", "Token expired", { at: 1 }) },
  ],
  [
    "both",
    bothEnvelope,
    missing,
    404,
    { detail: "Resource not found", error: error("RESOURCE_NOT_FOUND", "Resource not found", {}) },
  ],
  [
    "both",
    bothEnvelope,
    malformed,
    422,
    { detail: list, error: error("VALIDATION_ERROR", "Invalid request parameters", invalidDetails) },
  ],
  ["message", messageEnvelope, missing, 404, { message: "Resource not found" }],
  [
    "message",
    messageEnvelope,
    malformed,
    400,
    {
      message: "Invalid request parameters",
      errors: [
        { field: "email", message: "Invalid email format" },
        { field: "tags.0", message: "str type expected" },
      ],
    },
  ],
  [
    "message",
    messageEnvelope,
    new Failure("conflict", "Full", { code: "LOG_LIMIT_EXCEEDED" }),
    409,
    { message: "Full", code: "LOG_LIMIT_EXCEEDED" },
  ],
  [
    "success",
    successEnvelope(now, words),
    new Failure("unauthenticated", "Недействительный токен", { code: "AUTH_003" }),
    401,
    {
      success: false,
      error: { code: "AUTH_003", message: "Недействительный токен", details: "Токен невалиден" },
      timestamp: "2026-01-02T03:04:05.678Z",
    },
  ],
  [
    "success",
    successEnvelope(now, () => null),
    malformed,
    400,
    {
      success: false,
      error: {
        code: "VALIDATION_ERROR",
        message: "Invalid request parameters",
        details: "Invalid request parameters",
      },
      timestamp: "2026-01-02T03:04:05.678Z",
    },
  ],
])("the %s envelope", (_, envelope, failure, status, body) => {
  expect(envelope(failure, context)).toEqual({ status, body });
});
