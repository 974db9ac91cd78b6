/** What the ZIP writer asks its workers to do. Paths and names travel as latin1 text, one character a byte. */
import type { ZipRecord } from "./zip-format.ts";

/** Entries that a worker writes whole: small files, links, directories. */
export interface EntriesTask {
  kind: "entries";
  entries: {
    path: string;
    name: string;
    type: ZipRecord["type"];
    mode: number;
    mtime: number;
  }[];
}

/** One piece of a large file, compressed so that the pieces join up. */
export interface PieceTask {
  kind: "piece";
  path: string;
  offset: number;
  length: number;
  /** The piece that ends the deflate stream. */
  last: boolean;
}

export type ZipTask = EntriesTask | PieceTask;

/** A written entry: its record without the name, and where its header begins in the reply's data. */
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
