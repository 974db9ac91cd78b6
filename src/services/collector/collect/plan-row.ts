import type { FileType } from "../../../platform/linux/status.ts";

/** One thing to collect, as the walk found it. */
export interface PlanRow {
  /** Position in the plan, from 0. */
  row: number;
  /** Index into the source roots. */
  source: number;
  /** `unreadable` is a directory that could not be listed: it counts as one failed file. */
  type: FileType | "unreadable";
  /** Bytes; for `unreadable` the number of the error. */
  size: number;
  /** Nanoseconds since 1970. */
  modifiedNs: bigint;
  /** Below the source's directory, raw bytes; empty for the source directory itself. */
  path: Buffer;
}

const types = ["file", "directory", "symlink", "special", "unreadable"] as const;

/** Record: length of the path 2, type 1, unused 1, row 4, source 4, size 8 (a double), modification time 8, then the path. */
const headerSize = 28;

/** One row as bytes. Fails for a path longer than 65,535 bytes, which no system call would take either. */
export function encodeRow({ row, source, type, size, modifiedNs, path }: PlanRow): Buffer {
  const record = Buffer.alloc(headerSize + path.length);
  record.writeUInt16LE(path.length, 0);
  record.writeUInt8(types.indexOf(type), 2);
  record.writeUInt32LE(row, 4);
  record.writeUInt32LE(source, 8);
  record.writeDoubleLE(size, 12);
  record.writeBigInt64LE(modifiedNs, 20);
  record.set(path, headerSize);
  return record;
}

/** A row and where the next one starts. */
export interface DecodedRow {
  row: PlanRow;
  next: number;
}

/** The row at an offset; undefined when the bytes end before it does. `path` shares the buffer's memory. */
export function decodeRow(bytes: Buffer, offset: number): DecodedRow | undefined {
  if (offset + headerSize > bytes.length) return undefined;
  const next = offset + headerSize + bytes.readUInt16LE(offset);
  if (next > bytes.length) return undefined;
  const row = {
    row: bytes.readUInt32LE(offset + 4),
    source: bytes.readUInt32LE(offset + 8),
    type: types[bytes.readUInt8(offset + 2)] ?? "special",
    size: bytes.readDoubleLE(offset + 12),
    modifiedNs: bytes.readBigInt64LE(offset + 20),
    path: bytes.subarray(offset + headerSize, next),
  };
  return { row, next };
}

/** All rows of a buffer that holds whole rows. */
export function* decodeRows(bytes: Buffer): Generator<PlanRow> {
  let decoded = decodeRow(bytes, 0);
  while (decoded !== undefined) {
    yield decoded.row;
    decoded = decodeRow(bytes, decoded.next);
  }
}
