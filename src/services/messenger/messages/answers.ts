/** Messages on their way out: with images inline, as the document has it, without ever holding more than one of them. */
import type { Sql } from "postgres";
import { streamOf } from "../../../platform/http/streamed.ts";
import { type ImageLinks, imageContent } from "./images.ts";
import { type MessageRow, type MessageView, messageView } from "./message.ts";

export class MessageAnswers {
  private readonly sql: Sql;
  private readonly links: ImageLinks;

  constructor(sql: Sql, links: ImageLinks) {
    this.sql = sql;
    this.links = links;
  }

  /** A message whose image, if it is one, is told by its address alone. */
  brief(row: MessageRow): MessageView {
    return row.type === "image"
      ? messageView(row, null, this.links.linkTo(row.id))
      : messageView(row, row.content, null);
  }

  /** A message with everything. */
  async whole(row: MessageRow): Promise<MessageView> {
    if (row.type !== "image") return this.brief(row);
    return messageView(row, await imageContent(this.sql, row.id), this.links.linkTo(row.id));
  }

  /** `{"success": true, "data": […]}`, made while it is sent where there are images to be read. */
  list(rows: readonly MessageRow[], images: "inline" | "url"): Response {
    if (images === "url" || !rows.some(({ type }) => type === "image"))
      return Response.json({ success: true, data: rows.map((row) => this.brief(row)) });
    return new Response(streamOf(this.texts(rows)), {
      headers: { "Content-Type": "application/json; charset=utf-8" },
    });
  }

  private async *texts(rows: readonly MessageRow[]): AsyncGenerator<string> {
    yield '{"success":true,"data":[';
    for (const [index, row] of rows.entries())
      yield `${index > 0 ? "," : ""}${JSON.stringify(await this.whole(row))}`;
    yield "]}";
  }
}
