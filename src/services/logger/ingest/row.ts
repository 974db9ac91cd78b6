/** A log on its way into the database. */
import type { ProjectRow } from "../tables.ts";
import type { LogInput } from "./log-input.ts";

export interface LogRow extends LogInput {
  project: ProjectRow;
  clientIp: string | null;
}

/** What text columns and jsonb of PostgreSQL cannot hold: NUL, and halves of surrogate pairs. In JSON they are escaped, and so is found by these. */
const unstorable = /\\u0000|\\ud[89a-f][0-9a-f]{2}/i;

/** The row as a member of a JSON array, without its id, which comes first: `{"i":<id>` + this. Null when the database could not hold it. */
export function encodeRow({ project, at, level, message, tags, metadata, clientIp }: LogRow): string | null {
  const text = JSON.stringify({
    p: project.id,
    t: new Date(at).toISOString(),
    l: level,
    m: message,
    g: tags,
    d: metadata,
    c: clientIp,
  });
  if (text.includes("\\u") && unstorable.test(text)) return null;
  return `,${text.slice(1)}`;
}
