/** A log on its way into the database, where rows travel as one array literal a column: PostgreSQL reads those at half the cost of JSON. */
import { isStorable, isStorableJson, quoted } from "../../../platform/database/array-literal.ts";
import type { ProjectRow } from "../tables.ts";
import type { LogInput } from "./log-input.ts";

export interface LogRow extends LogInput {
  project: ProjectRow;
  clientIp: string | null;
}

/** An element of an array literal for each of project_id, at (milliseconds), level, message, tags, metadata, client_ip. */
export type EncodedRow = readonly string[];

/** The row's elements, or null when the database could not hold it. */
export function encodeRow({
  project,
  at,
  level,
  message,
  tags,
  metadata,
  clientIp,
}: LogRow): EncodedRow | null {
  const json = JSON.stringify(metadata);
  if (!isStorableJson(json)) return null;
  if (!isStorable(message) || !isStorable(level) || !tags.every(isStorable)) return null;
  return [
    String(project.id),
    String(at),
    quoted(level),
    quoted(message),
    quoted(`{${tags.map(quoted).join(",")}}`),
    quoted(json),
    clientIp === null ? "NULL" : quoted(clientIp),
  ];
}

/** Characters that a row takes up. */
export const lengthOf = (row: EncodedRow): number => row.reduce((sum, element) => sum + element.length, 0);

/** Array literals, one a column. */
export function columnsOf(rows: readonly EncodedRow[]): string[] {
  const width = rows[0]?.length ?? 0;
  return Array.from({ length: width }, (_, column) => `{${rows.map((row) => row[column]).join(",")}}`);
}
