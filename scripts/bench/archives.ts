/**
 * Archiving against the tools that administrators know. Usage: `bun scripts/bench/archives.ts [small] [big] [many] [zip] [tar.gz] [tar.xz] …`: data sets and
 * formats, all of them when none is named.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ArchiveFormat, writeArchive } from "../../src/services/collector/archive/archive.ts";
import type { ArchiveEntry } from "../../src/services/collector/archive/entry.ts";
import { type Contender, compare, dataSets, makeDataSet, resourcesOf, shell } from "./measure.ts";

const signal = new AbortController().signal;

/** Every file below a directory, listed before the clock starts, as the collecting engine hands them on. */
function entriesOf(directory: string): ArchiveEntry[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = statSync(path);
      const name = Buffer.from(path.slice(directory.length + 1));
      return {
        path: Buffer.from(path),
        name,
        type: "file",
        size,
        mode: 0o644,
        mtimeNs: BigInt(Math.floor(mtimeMs)) * 1_000_000n,
      };
    });
}

function archiveOf(format: ArchiveFormat, directory: string): Contender {
  const entries = entriesOf(directory);
  async function* groups() {
    for (let at = 0; at < entries.length; at += 500) yield entries.slice(at, at + 500);
  }
  return async (output) => {
    await writeArchive(format, groups(), join(output, "a"), { signal, onProgress() {} });
  };
}

/** The peers of each format: what is run in the data set's directory. Levels are those that ours has. */
const peers: Record<ArchiveFormat, Record<string, string>> = {
  zip: { "zip -r": "zip -qr $OUT/a.zip .", "7zz -tzip": "7zz a -tzip -bd $OUT/a.zip ." },
  tar: { tar: "tar cf $OUT/a.tar ." },
  "tar.gz": { "tar | pigz": "tar cf - . | pigz > $OUT/a.tar.gz" },
  "tar.bz2": { "tar | bzip2": "tar cf - . | bzip2 > $OUT/a.tar.bz2" },
  "tar.xz": { "tar | xz -1 -T2": "tar cf - . | xz -1 -T2 > $OUT/a.tar.xz" },
  "7z": { "7zz -mx1": "7zz a -t7z -mx1 -bd $OUT/a.7z ." },
};

/** Files too many, or compression too slow, for five pairs within minutes. */
const leftOut: Partial<Record<keyof typeof dataSets, ArchiveFormat[]>> = {
  big: ["tar.bz2"],
  many: ["tar.bz2", "tar.xz"],
};

/** Time against peers, and what a process of its own needs for the same work. */
async function benchArchives(wanted: string[]): Promise<void> {
  const isWanted = (name: string, among: string[]) =>
    wanted.includes(name) || !wanted.some((other) => among.includes(other));
  const sets = Object.keys(dataSets) as (keyof typeof dataSets)[];
  const formats = Object.keys(peers) as ArchiveFormat[];
  for (const key of sets.filter((name) => isWanted(name, sets))) {
    const source = makeDataSet(key);
    for (const format of formats.filter((name) => isWanted(name, formats))) {
      if (leftOut[key]?.includes(format) && !wanted.includes(format)) continue;
      const theirs = Object.fromEntries(
        Object.entries(peers[format]).map(([name, command]) => [name, shell(`cd ${source} && ${command}`)]),
      );
      await compare({
        name: `${format}, ${dataSets[key].name}`,
        ours: archiveOf(format, source),
        theirs,
      });
      await resourcesOf("ours", [process.execPath, import.meta.path, "--write", format, source]);
      for (const [name, command] of Object.entries(peers[format]))
        await resourcesOf(name, ["sh", "-c", `cd ${source} && ${command}`]);
    }
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--write") {
  const [format, source] = rest;
  await archiveOf(format as ArchiveFormat, source ?? "")(process.env.OUT ?? "");
  process.exit();
}
await benchArchives(first ? [first, ...rest] : []);
process.exit();
