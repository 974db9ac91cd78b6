/** Logs as a file that is made while it is sent: NDJSON or CSV. */
import { byteOrderMark, csvLine } from "../../../platform/http/csv.ts";
import { streamOf } from "../../../platform/http/streamed.ts";
import type { LogView } from "./log-view.ts";

export type ExportFormat = "ndjson" | "csv";

const columns = [
  "_id",
  "timestamp",
  "level",
  "message",
  "tags",
  "service",
  "user",
  "ip",
  "clientIP",
  "metadata",
] as const;
function rowOf(log: LogView): string {
  const { service, user, ip } = log.metadata;
  const fields: Record<(typeof columns)[number], unknown> = {
    ...log,
    tags: log.tags.join(" "),
    service,
    user,
    ip,
  };
  return csvLine(columns.map((name) => fields[name]));
}

async function* texts(pages: AsyncGenerator<LogView[]>, format: ExportFormat): AsyncGenerator<string> {
  if (format === "csv") yield `${byteOrderMark}${csvLine(columns)}`;
  const lineOf = format === "csv" ? rowOf : (log: LogView) => `${JSON.stringify(log)}\n`;
  for await (const page of pages) yield page.map(lineOf).join("");
}

/** The answer that streams `pages`. A client that goes away ends it. */
export function exportLogs(pages: AsyncGenerator<LogView[]>, format: ExportFormat, name: string): Response {
  return new Response(streamOf(texts(pages, format)), {
    headers: {
      "Content-Type": format === "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson; charset=utf-8",
      "Content-Disposition": `attachment; filename="${name}.${format}"`,
    },
  });
}
