/** What the program leaves in its output: a line that tells of the columns or of the failure, then rows. Code of users wrote it: nothing of it is believed. */
import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import type { Column, CommonType, RowStream } from "../../connect/types.ts";
import { PythonError } from "./python-error.ts";
import { readFrom } from "./unlinked-file.ts";

const mostHeaderBytes = 4 << 20;
const [tab, newline] = [0x09, 0x0a];

const commonType: z.ZodType<CommonType> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.object({ kind: z.enum(["boolean", "int16", "int32", "int64", "float32", "float64"]) }),
    z.object({ kind: z.literal("decimal"), precision: z.int().nullable(), scale: z.int() }),
    z.object({ kind: z.enum(["text", "uuid", "json", "bytes", "date", "time"]) }),
    z.object({ kind: z.literal("timestamp"), zoned: z.boolean() }),
    z.object({ kind: z.literal("array"), of: commonType }),
  ]),
);
const column = z.object({ name: z.string(), type: commonType, nullable: z.boolean() });
const table = z.object({ columns: z.array(column).min(1), rows: z.int().nonnegative() });
const failure = z.object({
  error: z.object({
    fault: z.enum(["syntax", "exception", "result", "memory", "size", "processes", "disk"]),
    message: z.string(),
    line: z.int().nullable(),
  }),
});
const header = z.union([table, failure, z.object({ compiled: z.literal(true) })]);

/** `compiled`: that was all that was asked. */
export type Header = z.infer<typeof header>;

const broken = () => new PythonError("result", "the transformation left an output that is not its result");

/** The first line, and where the rows begin; null when there is no line at all. */
export async function readHeader(file: FileHandle): Promise<{ header: Header; end: number } | null> {
  const buffer = Buffer.alloc(Math.min(mostHeaderBytes, (await file.stat()).size));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  if (bytesRead === 0) return null;
  const end = buffer.indexOf(newline);
  if (end < 0) throw broken();
  try {
    return { header: header.parse(JSON.parse(buffer.toString("utf8", 0, end))), end: end + 1 };
  } catch {
    throw broken();
  }
}

/** Passes rows on while each has its number of fields. Fails with PythonError `result`, also when they are fewer or more than was said. */
async function* checkedRows(
  chunks: AsyncIterable<Uint8Array>,
  width: number,
  rows: number,
): AsyncGenerator<Uint8Array> {
  let [seen, tabs, last] = [0, 0, newline];
  for await (const chunk of chunks) {
    for (const byte of chunk) {
      if (byte === tab) tabs++;
      else if (byte === newline) {
        if (tabs !== width - 1) throw broken();
        tabs = 0;
        seen++;
      }
    }
    last = chunk[chunk.length - 1] ?? last;
    if (seen > rows) throw broken();
    yield chunk;
  }
  if (seen !== rows || last !== newline) throw broken();
}

/** The rows after the header. The file is closed when they were read or left, or at `signal` when nobody began to read. */
export function rowsOf(
  file: FileHandle,
  start: number,
  { columns, rows }: { columns: Column[]; rows: number },
  signal: AbortSignal,
): RowStream {
  const close = () => void file.close();
  signal.addEventListener("abort", close);
  async function* chunks() {
    signal.throwIfAborted();
    // From here on the reader closes: never under a read.
    signal.removeEventListener("abort", close);
    try {
      for await (const chunk of checkedRows(readFrom(file, start), columns.length, rows)) {
        yield chunk;
        signal.throwIfAborted();
      }
    } finally {
      await file.close();
    }
  }
  if (signal.aborted) close();
  return { columns, chunks: chunks() };
}
