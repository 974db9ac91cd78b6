/** `GET /messages/:id/image`: an image as bytes, for whoever may see the message or holds a link to it. */
import { createHash } from "node:crypto";
import { Elysia } from "elysia";
import { failure } from "../envelope.ts";
import { findImage, type Image } from "../messages/images.ts";
import * as schemas from "../schemas.ts";
import { guarded, identified, type MessengerParts, tags } from "./parts.ts";

/** Nothing in an image is to be run, and what is shown once stays as it is. */
const imageHeaders = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; sandbox",
  "Cache-Control": "private, max-age=31536000, immutable",
};

function answer({ bytes, mediaType }: Image, known: string | null): Response {
  const etag = `"${createHash("sha256").update(bytes).digest("base64url")}"`;
  const headers = { ...imageHeaders, ETag: etag };
  const isKnown = known?.split(",").some((each) => each.trim().replace(/^W\//, "") === etag) ?? false;
  if (isKnown) return new Response(null, { status: 304, headers });
  return new Response(new Uint8Array(bytes), { headers: { ...headers, "Content-Type": mediaType } });
}

export const imageRoutes = (parts: MessengerParts) =>
  new Elysia({ prefix: "/messages", tags }).get(
    "/:message_id/image",
    async ({ params: { message_id: id }, query: { expires, signature }, request, set }) => {
      const { sql, history, links } = parts;
      const hasLink =
        expires !== undefined && signature !== undefined && links.isGood(id, expires, signature);
      if (!hasLink) {
        const { account } = await identified(parts, request, set.headers);
        if (!(await history.find(account.id, id))) throw failure("MSG_001");
      }
      const image = await findImage(sql, id);
      if (!image) throw failure("MSG_001");
      return answer(image, request.headers.get("if-none-match"));
    },
    {
      params: schemas.messagePath,
      query: schemas.imageQuery,
      response: { 404: schemas.failure, ...guarded },
      detail: {
        summary: "An image",
        description: "With a token, or by the signed link that messages carry.",
      },
    },
  );
