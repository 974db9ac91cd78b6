/** The body of a batch: a JSON array, `{"uuid", "logs": […]}`, or NDJSON; as it is, or packed with gzip or zstd. */

import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { invalid, tooLarge } from "../../../platform/http/failures.ts";

const mostPacked = 16 * 1024 * 1024;
const mostUnpacked = 64 * 1024 * 1024;
const mostLogs = 10_000;

export interface Batch {
  /** Null: named elsewhere. */
  uuid: unknown;
  logs: unknown[];
}

async function* limited(source: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > most) throw tooLarge("Слишком большой запрос");
    yield chunk;
  }
}

/** The text of a body. What is packed is unpacked no further than a limit: a small body may hold a very large one. */
async function textOf(request: Request): Promise<string> {
  if (request.body === null) return "";
  const packed = limited(request.body, mostPacked);
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  const unpackers = { gzip: createGunzip, zstd: createZstdDecompress };
  if (encoding !== "identity" && !(encoding in unpackers)) throw invalid("Поддерживаются только gzip и zstd");
  const chunks: Uint8Array[] = [];
  const plain =
    encoding === "identity"
      ? packed
      : Readable.from(packed).pipe(unpackers[encoding as keyof typeof unpackers]());
  try {
    for await (const chunk of limited(plain, mostUnpacked)) chunks.push(chunk);
  } catch (error) {
    if (error instanceof Error && "code" in error) throw invalid("Сжатое тело повреждено");
    throw error;
  }
  return Buffer.concat(chunks).toString();
}

/** A line that is no JSON stands for itself, and is refused alone. */
function lineOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function parse(text: string): Batch {
  const start = text.trimStart();
  if (start.startsWith("[")) {
    const logs = lineOf(text);
    if (!Array.isArray(logs)) throw invalid("Некорректный JSON");
    return { uuid: null, logs };
  }
  const whole = start.startsWith("{") ? lineOf(text) : undefined;
  if (typeof whole === "object" && whole !== null && "logs" in whole && Array.isArray(whole.logs))
    return { uuid: "uuid" in whole ? whole.uuid : null, logs: whole.logs };
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return { uuid: null, logs: lines.map(lineOf) };
}

/** The logs of a request. Fails with `invalid` or `tooLarge`. */
export async function readBatch(request: Request): Promise<Batch> {
  const batch = parse(await textOf(request));
  if (batch.logs.length === 0) throw invalid("Ожидается массив логов или NDJSON");
  if (batch.logs.length > mostLogs) throw tooLarge(`Не больше ${mostLogs} логов за запрос`);
  return batch;
}
