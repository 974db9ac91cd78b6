/** Images: base64 in JSON, bytes in the database, links that carry their own permission. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Sql } from "postgres";
import { failure, fieldFailure } from "../envelope.ts";

export interface Image {
  mediaType: string;
  /** What stood before the base64; empty when nothing did. */
  prefix: string;
  bytes: Buffer;
  /** The base64 as it came, where it is not what the bytes make: with line breaks, or without padding. */
  encoded: string | null;
}

const mostBytes = 5 * 1024 * 1024;
const mostPixels = 25_000_000;
const mediaTypes: Record<string, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};
const dataUrl = /^data:image\/[\w.+-]+(?:;[\w=.-]+)*;base64,/i;

const notAnImage = () => fieldFailure("content", "ожидается изображение PNG, JPEG, GIF или WebP в base64");

function bytesOf(base64: string): Buffer {
  // Base64 that is this long cannot be small enough; what is a little longer may have line breaks.
  if (base64.length > mostBytes * 2) throw failure("MSG_004");
  try {
    const bytes = Uint8Array.fromBase64(base64);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch {
    throw notAnImage();
  }
}

/** Pixels of a GIF's logical screen, which its frames need not fill (GIF89a, 18); 0 of other images. */
const screenOf = (bytes: Buffer): number =>
  bytes.subarray(0, 3).toString("latin1") === "GIF" ? bytes.readUInt16LE(6) * bytes.readUInt16LE(8) : 0;

/** The image of a message's `content`, known by its bytes and decoded once to the end. Fails with `MSG_004` or `VAL_001`. */
export async function readImage(content: string): Promise<Image> {
  const prefix = dataUrl.exec(content)?.[0] ?? "";
  const base64 = content.slice(prefix.length);
  const bytes = bytesOf(base64);
  if (bytes.length > mostBytes) throw failure("MSG_004");
  try {
    const image = new Bun.Image(bytes);
    const { format, width, height } = await image.metadata();
    const mediaType = mediaTypes[format];
    if (mediaType === undefined) throw notAnImage();
    if (width * height > mostPixels || screenOf(bytes) > mostPixels)
      throw fieldFailure("content", "изображение больше 25 мегапикселей");
    await image.resize(1, 1).bytes();
    return { mediaType, prefix, bytes, encoded: bytes.toString("base64") === base64 ? null : base64 };
  } catch (error) {
    if (error instanceof Error && error.name === "Failure") throw error;
    throw notAnImage();
  }
}

/** The `content` of an image's message, as it came. */
export async function imageContent(sql: Sql, messageId: number): Promise<string> {
  const image = await findImage(sql, messageId);
  return image ? contentOf(image) : "";
}

/** An image as the `content` of its message. */
export const contentOf = ({ prefix, bytes, encoded }: Image): string =>
  prefix + (encoded ?? bytes.toString("base64"));

/** The image of a message that is not deleted. */
export async function findImage(sql: Sql, messageId: number): Promise<Image | null> {
  const [row] = await sql`select media_type, prefix, bytes, encoded from messenger.images
    join messenger.messages m on m.id = message_id and m.deleted_at is null where message_id = ${messageId}`;
  return row
    ? {
        mediaType: String(row.media_type),
        prefix: String(row.prefix),
        bytes: row.bytes as Buffer,
        encoded: row.encoded as string | null,
      }
    : null;
}

const linkSeconds = 86_400;

/** Links to images that a browser can follow without a header: they end after a day or two. */
export class ImageLinks {
  private readonly key: Buffer;
  private readonly now: () => number;

  /** `key` is that of the tokens; the links get one of their own from it. `now` in milliseconds. */
  constructor(key: Buffer, now: () => number) {
    this.key = createHmac("sha256", key).update("messenger image links").digest();
    this.now = now;
  }

  /** Path and query. The same for a whole day, so that browsers keep what they have. */
  linkTo(messageId: number): string {
    const expires = (Math.floor(this.now() / 1000 / linkSeconds) + 2) * linkSeconds;
    return `/messages/${messageId}/image?expires=${expires}&signature=${this.sign(messageId, expires)}`;
  }

  isGood(messageId: number, expires: number, signature: string): boolean {
    const [expected, given] = [Buffer.from(this.sign(messageId, expires)), Buffer.from(signature)];
    return (
      expected.length === given.length && timingSafeEqual(expected, given) && expires * 1000 > this.now()
    );
  }

  private sign(messageId: number, expires: number): string {
    return createHmac("sha256", this.key).update(`${messageId}:${expires}`).digest("base64url");
  }
}
