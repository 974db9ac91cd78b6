/**
 * 7z archives, by the system's own 7-Zip or else by the one that the executable carries. Names go by list files, relative to the directory that the entries lie in, so that nothing is copied and no
 * name is taken for an option or a pattern.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import carriedPath from "7zip-bin/linux/x64/7za" with { type: "file" };
import { memoryProgram } from "../../../platform/linux/memory-program.ts";
import type { WriteArchive } from "./archive.ts";
import type { ArchiveEntry } from "./entry.ts";

const names = ["7zz", "7z", "7za"];
/** Level 1: level 5 takes many times as long on small files for a little less. */
const options = ["a", "-t7z", "-mx1", "-y", "-bd", "-snl", "-spd", "-scsUTF-8"];
/** 7-Zip ends with 1 when it had to leave something out, with more when it failed. */
const statusWarning = 1;
const mostWarnings = 1000;
/** What 7-Zip writes of nothing, when it is not asked to refuse: the signature header alone, version 0.4, with nothing after it. */
const emptyArchive = Buffer.from("377abcaf271c00048d9bd50f0000000000000000000000000000000000000000", "hex");

let carried: string | null = null;

/** The system's program where there is one: it is younger than ours. */
function programOf(): string {
  const installed = names.find((name) => Bun.which(name) !== null);
  if (installed) return installed;
  carried ??= memoryProgram("7za", readFileSync(carriedPath));
  return carried;
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
  const lists = await listsOf(entries, signal);
  // Of its own for every run: a 7-Zip that outlived a killed server writes where nobody looks.
  const directory = await mkdtemp(`${destination}.`);
  try {
    const archive = join(directory, "archive.7z");
    const list = join(directory, "list");
    for (const [base, lines] of lists.byBase) {
      await writeFile(list, `${lines.join("\n")}\n`);
      if (await add(programOf(), archive, list, base, signal))
        lists.warnings.push("7-Zip could not read every file");
    }
    if (lists.count === 0) await writeFile(archive, emptyArchive);
    const { size } = await stat(archive);
    await rename(archive, destination);
    onProgress(lists.count, size, "");
    return { entries: lists.count, bytes: size, warnings: lists.warnings };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
