/** Rows kept in a file, for those who need them more than once. */
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { RowStream } from "../connect/types.ts";

const chunkSize = 1024 * 1024;

/** Writes the rows to a file in `directory`; answers how to get them, as often as they are wanted. */
export async function spooled({ columns, chunks }: RowStream, directory: string): Promise<() => RowStream> {
  const path = join(directory, "rows");
  await pipeline(chunks, createWriteStream(path, { mode: 0o600 }));
  return () => ({ columns, chunks: createReadStream(path, { highWaterMark: chunkSize }) });
}
