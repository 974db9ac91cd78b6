/** Reads and compresses for the ZIP writer; see `zip-tasks.ts`. */
import { readlinkSync } from "node:fs";
import { constants, deflateRawSync } from "node:zlib";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { readPart, readWhole } from "./read-file.ts";
import type { EntriesStep, PieceStep, Step, WireEntry } from "./steps.ts";
import type { Answer } from "./worker-pool.ts";
import { localHeader, method, type ZipRecord } from "./zip-format.ts";
import type { WrittenEntry, ZipReply } from "./zip-tasks.ts";

declare const self: Worker;

const level = 6;
/** A file that grew since it was listed is taken up to here. */
const largestWhole = 16 * 1024 * 1024;

function contentOf({ path, type }: WireEntry): Buffer {
  if (type === "directory") return Buffer.alloc(0);
  if (type === "symlink") return readlinkSync(Buffer.from(path, "latin1"), { encoding: "buffer" });
  return readWhole(path, largestWhole);
}

function compress(content: Buffer, type: WireEntry["type"]): { method: number; data: Uint8Array } {
  if (type === "file" && content.length > 0) {
    const data = Bun.deflateSync(content as Buffer<ArrayBuffer>, { library: "libdeflate", level });
    if (data.length < content.length) return { method: method.deflate, data };
  }
  return { method: method.store, data: content };
}

function writeEntries({ entries }: EntriesStep): ZipReply {
  const parts: Uint8Array[] = [];
  const written: WrittenEntry[] = [];
  const warnings: string[] = [];
  let position = 0;
  for (const entry of entries) {
    try {
      const content = contentOf(entry);
      const { method, data } = compress(content, entry.type);
      const { name, type, mode, mtime } = entry;
      const crc = Bun.hash.crc32(content);
      const rest = { type, mode, mtime, method, crc, size: content.length, compressedSize: data.length };
      const record: ZipRecord = { ...rest, name: Buffer.from(name, "latin1") };
      const header = localHeader(record, false);
      parts.push(header, data);
      written.push({ ...rest, name, start: position });
      position += header.length + data.length;
    } catch (error) {
      warnings.push(`${Buffer.from(entry.path, "latin1")}: not archived: ${reasonOf(error)}`);
    }
  }
  return { data: new Uint8Array(Bun.concatArrayBuffers(parts)), written, warnings, crc: 0, length: 0 };
}

/** An empty final block: ends a deflate stream. */
const endOfStream = Uint8Array.of(0x03, 0x00);

const compressPiece = (content: Buffer, last: boolean): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    deflateRawSync(content, { level, finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH }),
  );

/** Sparse files read as zeros for most of their length: those pieces are all alike, and are compressed once. */
const zeros = Buffer.alloc(2 * 1024 * 1024);
const compressedZeros = compressPiece(zeros, false);

const isHole = (content: Buffer): boolean => content.length === zeros.length && zeros.equals(content);

/**
 * A piece begins without a look back, so that a file which changes meanwhile still makes a valid stream, and ends with a full flush, so that
 * the next one begins on a byte. A piece that cannot be read is left out.
 */
function writePiece({ entry: { path }, offset, length, last }: PieceStep): ZipReply {
  try {
    const content = readPart(path, offset, length);
    const data = isHole(content) && !last ? compressedZeros.slice() : compressPiece(content, last);
    return { data, written: [], warnings: [], crc: Bun.hash.crc32(content), length: content.length };
  } catch (error) {
    const data = last ? endOfStream.slice() : new Uint8Array(0);
    const warnings = [`${Buffer.from(path, "latin1")}: not archived whole: ${reasonOf(error)}`];
    return { data, written: [], warnings, crc: 0, length: 0 };
  }
}

self.onmessage = ({ data: task }: MessageEvent<Step>) => {
  try {
    const reply = task.kind === "entries" ? writeEntries(task) : writePiece(task);
    self.postMessage({ reply } satisfies Answer<ZipReply>, [reply.data.buffer]);
  } catch (error) {
    self.postMessage({ error: reasonOf(error) } satisfies Answer<ZipReply>);
  }
};
