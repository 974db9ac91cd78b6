/** Failures in the codes of the document. */
import { type Envelope, errorEnvelope } from "../../platform/http/envelopes.ts";
import { Failure, invalid, notFound, unavailable } from "../../platform/http/failures.ts";
import { ConnectorError } from "./connect/connector.ts";

/** What another system's fault is answered with. */
export function connectorFailure(error: unknown): unknown {
  if (!(error instanceof ConnectorError)) return error;
  const { code, message } = error;
  if (code === "notFound") return notFound(message);
  if (code === "unsupported" || code === "schema") return invalid(message, { code: "CONNECTOR_ERROR" });
  return unavailable(message, { code: "CONNECTOR_ERROR", cause: error });
}

/** The document's words for what the platform says of validation and the database. */
export const envelope: Envelope = (failure, context) => {
  if (failure.kind === "unprocessable" && failure.message === "Validation error")
    return errorEnvelope(new Failure(failure.kind, "Invalid request parameters", failure.options), context);
  if (failure.kind === "unavailable" && failure.options.code === undefined)
    return errorEnvelope(
      new Failure(failure.kind, failure.message, { ...failure.options, code: "DATABASE_ERROR" }),
      context,
    );
  return errorEnvelope(failure, context);
};
