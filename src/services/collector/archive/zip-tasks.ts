/** What the ZIP writer's Workers answer to a step. */
import type { ZipRecord } from "./zip-format.ts";

/** A written entry: its record with the name as latin1, and where its header begins in the reply's data. */
export interface WrittenEntry extends Omit<ZipRecord, "name"> {
  name: string;
  start: number;
}

export interface ZipReply {
  /** For entries: headers and data, one after the other. For a piece: compressed data. */
  data: Uint8Array<ArrayBuffer>;
  written: WrittenEntry[];
  /** Entries that could not be read, with the reason. */
  warnings: string[];
  /** Of a piece: CRC-32 and count of the bytes that were read. */
  crc: number;
  length: number;
}
