/** Logs as a file that is made while it is sent: NDJSON, or CSV (RFC 4180) with a byte order mark for spreadsheets. */
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
const byteOrderMark = "\ufeff";

/** A spreadsheet would run a cell that begins like a formula: it is made a text. */
const harmless = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

const cell = (value: unknown): string => {
  const text = harmless(
    typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value),
  );
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

function csvLine(log: LogView): string {
  const { service, user, ip } = log.metadata;
  const fields: Record<(typeof columns)[number], unknown> = {
    ...log,
    tags: log.tags.join(" "),
    service,
    user,
    ip,
  };
  return `${columns.map((name) => cell(fields[name])).join(",")}\r\n`;
}

/** The answer that streams `pages`. A client that goes away ends it. */
export function exportLogs(pages: AsyncGenerator<LogView[]>, format: ExportFormat, name: string): Response {
  const encoder = new TextEncoder();
  const lineOf = format === "csv" ? csvLine : (log: LogView) => `${JSON.stringify(log)}\n`;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (format === "csv") controller.enqueue(encoder.encode(`${byteOrderMark}${columns.join(",")}\r\n`));
    },
    async pull(controller) {
      const { value, done } = await pages.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value.map(lineOf).join("")));
    },
    async cancel() {
      await pages.return(undefined);
    },
  });
  return new Response(body, {
    headers: {
      "Content-Type": format === "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson; charset=utf-8",
      "Content-Disposition": `attachment; filename="${name}.${format}"`,
    },
  });
}
