/** Images for messages. */
import { crc32 } from "node:zlib";

const dot = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const square = () => new Bun.Image(dot).resize(64, 64);
const encoded = async (image: Bun.Image) => Buffer.from(await image.bytes());

/** The same picture in every format that is taken. */
export const images: Record<"png" | "jpeg" | "gif" | "webp", Buffer> = {
  png: await encoded(square().png()),
  jpeg: await encoded(square().jpeg()),
  gif: Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64"),
  webp: await encoded(square().webp()),
};

/** As `content` of a message. */
export const pixel = { png: images.png.toString("base64") };

/** A PNG of exactly so many bytes: what is missing is a chunk that nobody reads. */
export function pngOf(size: number): Buffer {
  const end = images.png.length - 12;
  const body = Buffer.concat([Buffer.from("teSt"), Buffer.alloc(size - images.png.length - 12)]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return Buffer.concat([images.png.subarray(0, end), chunk, images.png.subarray(end)]);
}
