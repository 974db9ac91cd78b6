import { readFile, truncate, writeFile } from "node:fs/promises";
import { errorCode } from "../../../platform/linux/errors.ts";
import { journalFiles, readJournal } from "./journal.ts";
import { type Counts, countEntry, noCounts } from "./outcome.ts";
import { type Placed, readPlaced } from "./placing.ts";
import type { KeptSource } from "./removal.ts";

/** What an earlier run of the same collection left. */
export interface Recovery {
  /** Whether a row is in the journal already. */
  isDone(row: number): boolean;
  counts: Counts;
  /** Files placed but not journalled, by row. */
  own: ReadonlyMap<number, Placed[]>;
  /** Whether there is anything at all. */
  resumed: boolean;
}

/** Reads the journal of an earlier run and cuts off a line that a crash tore. */
export async function recover(work: string, rows: number): Promise<Recovery> {
  const { entries: file } = journalFiles(work);
  const done = new Uint8Array(Math.ceil(rows / 8));
  const isDone = (row: number) => ((done[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
  const counts = noCounts();
  let end = 0;
  try {
    for await (const part of readJournal(file)) {
      end = part.end;
      for (const entry of part.entries) {
        done[entry.row >> 3] = (done[entry.row >> 3] ?? 0) | (1 << (entry.row & 7));
        countEntry(counts, entry);
      }
    }
    await truncate(file, end);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  const own = Map.groupBy(await readPlaced(work, (row) => !isDone(row)), ({ row }) => row);
  return { isDone, counts, own, resumed: end > 0 };
}

/** The sources that had to stay although their copies are safe, by row. */
export async function readKept(work: string): Promise<ReadonlyMap<number, string>> {
  const text = await readIfPresent(journalFiles(work).kept);
  const kept = new Map<number, string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const { row, reason }: KeptSource = JSON.parse(line);
    kept.set(row, reason);
  }
  return kept;
}

/** Whether `move` came to removing the sources. */
export async function wereSourcesRemoved(work: string): Promise<boolean> {
  return (await readIfPresent(journalFiles(work).removed)) !== "";
}

/** Records that `move` begins to remove the sources. */
export async function markSourcesRemoved(work: string): Promise<void> {
  await writeFile(journalFiles(work).removed, "removed\n", { mode: 0o600 });
}

async function readIfPresent(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}
