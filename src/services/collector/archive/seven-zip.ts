/**
 * 7z archives, by the system's own 7-Zip. Names go by list files, relative to the directory that the entries lie in, so that nothing is copied and no
 * name is taken for an option or a pattern.
 */
import { lstatSync, readdirSync } from "node:fs";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../../../platform/http/failures.ts";
import type { WriteArchive } from "./archive.ts";
import type { ArchiveEntry } from "./entry.ts";

const names = ["7zz", "7z", "7za"];
/** Level 1: level 5 takes many times as long on small files for a little less. */
const options = ["a", "-t7z", "-mx1", "-y", "-bd", "-snl", "-spd", "-scsUTF-8"];
/** 7-Zip ends with 1 when it had to leave something out, with more when it failed. */
const statusWarning = 1;
const mostWarnings = 1000;

const programOf = (): string | undefined => names.find((name) => Bun.which(name) !== null);

/** Fails with `invalid` when the system has no 7-Zip. */
export function requireSevenZip(): void {
  if (!programOf()) throw invalid(`Archive format 7z needs one of the programs ${names.join(", ")}`);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A name as a line of a list file; null when it cannot be one. */
function lineOf(name: Buffer): string | null {
  try {
    const text = decoder.decode(name);
    return /[\r\n]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** The directory that an entry's name is relative to. A name that its file does not have is replaced by the file's own. */
function place({ path, name }: ArchiveEntry): { base: string; name: Buffer } {
  const ending = Buffer.concat([Buffer.from("/"), name]);
  const cut = path.subarray(-ending.length).equals(ending)
    ? path.length - ending.length
    : path.lastIndexOf(0x2f);
  return { base: path.subarray(0, cut).toString(), name: path.subarray(cut + 1) };
}

/** 7-Zip takes a directory with all that is in it, also what is not collected: only empty ones are named. */
function isWanted({ type, path }: ArchiveEntry): boolean {
  if (!lstatSync(path, { throwIfNoEntry: false })) return false;
  return type !== "directory" || readdirSync(path).length === 0;
}

interface Lists {
  byBase: Map<string, string[]>;
  count: number;
  warnings: string[];
}

async function listsOf(entries: AsyncIterable<ArchiveEntry[]>, signal: AbortSignal): Promise<Lists> {
  const lists: Lists = { byBase: new Map(), count: 0, warnings: [] };
  for await (const group of entries) {
    signal.throwIfAborted();
    for (const entry of group) {
      const { base, name } = place(entry);
      const line = lineOf(name);
      const wanted = isWanted(entry);
      if (line !== null && wanted) {
        lists.byBase.set(base, lists.byBase.get(base) ?? []);
        lists.byBase.get(base)?.push(line);
        lists.count++;
      } else if (entry.type !== "directory" && lists.warnings.length < mostWarnings)
        lists.warnings.push(
          `${name}: not archived: ${wanted ? "7z cannot hold this name" : "No such file or directory"}`,
        );
    }
  }
  return lists;
}

/** Adds the files of one list to the archive; answers whether 7-Zip left something out. */
async function add(
  program: string,
  archive: string,
  list: string,
  base: string,
  signal: AbortSignal,
): Promise<boolean> {
  const child = Bun.spawn([program, ...options, archive, `@${list}`], {
    cwd: base,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    signal,
    killSignal: "SIGKILL",
  });
  const complaint = await new Response(child.stderr).text();
  const status = await child.exited;
  signal.throwIfAborted();
  if (status > statusWarning)
    throw new Error(`7-Zip failed: ${complaint.trim().split("\n").at(-1) ?? status}`);
  return status === statusWarning;
}

export const writeSevenZip: WriteArchive = async (entries, destination, { signal, onProgress }) => {
  const program = programOf();
  if (!program) throw new Error("7-Zip is not installed");
  const lists = await listsOf(entries, signal);
  const directory = `${destination}.lists`;
  await mkdir(directory);
  try {
    for (const [base, lines] of lists.byBase) {
      const list = join(directory, "list");
      await writeFile(list, `${lines.join("\n")}\n`);
      if (await add(program, destination, list, base, signal))
        lists.warnings.push("7-Zip could not read every file");
    }
    const { size } = await stat(destination);
    onProgress(lists.count, size, "");
    return { entries: lists.count, bytes: size, warnings: lists.warnings };
  } catch (error) {
    await rm(destination, { force: true });
    await rm(`${destination}.tmp`, { force: true });
    throw error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
