import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { FileType } from "../../../platform/linux/status.ts";

/** What became of one thing. */
export type EntryStatus = "copied" | "present" | "failed" | "skipped";

/**
 * One line of the journal: what became of one row of the plan, durable before it is reported. Paths are latin1
 * strings, one character per byte; 64-bit numbers are decimal strings.
 */
export interface JournalEntry {
  row: number;
  /** Index into the source roots. */
  source: number;
  /** Below the source's directory. */
  path: string;
  /** Below the target; where it would have been, when it failed. */
  target: string;
  type: FileType;
  status: EntryStatus;
  size: number;
  mode: number;
  modifiedNs: string;
  /** Identity of what was read, checked again before it is removed. */
  device: string;
  inode: string;
  /** Of the bytes in the target; files only. */
  sha256?: string;
  /** Why it failed or was skipped. */
  reason?: string;
  /** What a user may want to know although it went well. */
  note?: string;
  /** Set where the target is the source itself, which therefore must stay. */
  keepSource?: true;
}

/** Where a work directory keeps its journal, the sources that had to stay, and the mark that sources were removed. */
export function journalFiles(work: string): { entries: string; kept: string; removed: string } {
  return { entries: join(work, "journal"), kept: join(work, "kept"), removed: join(work, "removed") };
}

/** A line as bytes: JSON in latin1, so that names appear in it as they are on disk. */
export function encodeEntry(entry: JournalEntry): Buffer {
  return Buffer.from(`${JSON.stringify(entry)}\n`, "latin1");
}

/** An entry from its line, which was written by {@link encodeEntry}. */
export function decodeEntry(line: string): JournalEntry {
  const entry: JournalEntry = JSON.parse(line);
  return entry;
}

/** The entries of a buffer of whole lines. */
export function decodeEntries(bytes: Uint8Array): JournalEntry[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [decodeEntry(line)]));
}

/** Entries read together, and how many bytes of the journal were whole so far. */
export interface JournalPart {
  entries: JournalEntry[];
  end: number;
}

/** Reads a journal in order, some hundreds of entries at a time; a line torn by a crash at its end is left out. */
export async function* readJournal(file: string): AsyncGenerator<JournalPart> {
  let rest: Buffer = Buffer.alloc(0);
  let end = 0;
  const chunks: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: 65_536 });
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    const whole = bytes.lastIndexOf(0x0a) + 1;
    end += whole;
    rest = bytes.subarray(whole);
    yield { entries: decodeEntries(bytes.subarray(0, whole)), end };
  }
}
