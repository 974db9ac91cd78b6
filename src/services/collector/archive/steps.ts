/** How entries are cut into work for an archive's Workers. Paths and names travel as latin1 text, one character a byte. */
import { type ArchiveEntry, safeName } from "./entry.ts";

/** An entry as a Worker gets it. */
export interface WireEntry {
  path: string;
  /** As it stands in the archive; a directory's ends with `/`. */
  name: string;
  type: ArchiveEntry["type"];
  mode: number;
  /** Seconds since 1970. */
  mtime: number;
  size: number;
}

/** Small files, links and directories, which a Worker writes whole. */
export interface EntriesStep {
  kind: "entries";
  entries: WireEntry[];
}

/** One piece of a large file. */
export interface PieceStep {
  kind: "piece";
  entry: WireEntry;
  offset: number;
  length: number;
  /** The piece that ends the file. */
  last: boolean;
}

export type Step = EntriesStep | PieceStep;

const batchEntries = 128;
const batchBytes = 1024 * 1024;
/** Larger files are worked on in pieces. */
const largeFile = 4 * 1024 * 1024;
/** A multiple of tar's 512-byte blocks. */
const pieceLength = 2 * 1024 * 1024;

function wireEntry({ path, name, type, mode, mtimeNs, size }: ArchiveEntry): WireEntry {
  const safe = safeName(name).toString("latin1");
  return {
    path: path.toString("latin1"),
    name: type === "directory" ? `${safe}/` : safe,
    type,
    mode,
    mtime: Math.floor(Number(mtimeNs) / 1e9),
    size: type === "file" ? size : 0,
  };
}

function* piecesOf(entry: WireEntry): Generator<PieceStep> {
  for (let offset = 0; offset < entry.size; offset += pieceLength) {
    const length = Math.min(pieceLength, entry.size - offset);
    yield { kind: "piece", entry, offset, length, last: offset + length === entry.size };
  }
}

/** Groups small entries and cuts large files, in the order of the entries. */
export async function* stepsOf(groups: AsyncIterable<ArchiveEntry[]>): AsyncGenerator<Step> {
  let entries: WireEntry[] = [];
  let bytes = 0;
  function* flush(): Generator<EntriesStep> {
    if (entries.length > 0) yield { kind: "entries", entries };
    entries = [];
    bytes = 0;
  }
  for await (const group of groups)
    for (const each of group) {
      const entry = wireEntry(each);
      if (entry.size > largeFile) {
        yield* flush();
        yield* piecesOf(entry);
        continue;
      }
      entries.push(entry);
      bytes += entry.size;
      if (entries.length >= batchEntries || bytes >= batchBytes) yield* flush();
    }
  yield* flush();
}

/** The path of the last entry that a step touches, for people. */
export const latestPath = (step: Step): string =>
  Buffer.from((step.kind === "piece" ? step.entry : step.entries.at(-1))?.path ?? "", "latin1").toString();
