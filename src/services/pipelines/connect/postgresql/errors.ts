/** PostgreSQL's refusals in the words and codes of connectors. */
import { ConnectorError } from "../connector.ts";
import { PostgresError } from "./messages.ts";

/** By SQLSTATE (PostgreSQL documentation, appendix A), the longest prefix first. */
const codes: readonly (readonly [string, ConnectorError["code"]])[] = [
  ["3F000", "notFound"],
  ["42P01", "notFound"],
  ["42703", "schema"],
  ["42804", "schema"],
  ["53300", "unreachable"],
  ["08P01", "refused"],
  ["08", "unreachable"],
  ["0A", "unsupported"],
  ["28", "authentication"],
  ["57P", "unreachable"],
];

const logins: Record<string, string> = {
  "28P01": "the server refuses the user name or the password",
  "28000": "the server does not let this user in from here",
};

/** The error as a `ConnectorError`, if it is the server's; anything else stays what it is, so that an abort keeps its reason. */
export function asConnectorError(error: unknown): unknown {
  if (!(error instanceof PostgresError)) return error;
  const code = codes.find(([prefix]) => error.code.startsWith(prefix))?.[1] ?? "refused";
  const place = error.where?.startsWith("COPY ") ? ` (${error.where.split("\n")[0]})` : "";
  return new ConnectorError(code, `${logins[error.code] ?? error.message}${place}`, error);
}

/** Does something and throws what it throws as connectors do. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asConnectorError(error);
  }
}
