/** Archiving against the tools that administrators know. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeArchive } from "../../src/services/collector/archive/archive.ts";
import type { ArchiveEntry } from "../../src/services/collector/archive/entry.ts";
import { type Contender, compare, dataSets, makeDataSet, shell } from "./measure.ts";

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

function archiveOf(directory: string): Contender {
  const entries = entriesOf(directory);
  async function* groups() {
    for (let at = 0; at < entries.length; at += 500) yield entries.slice(at, at + 500);
  }
  return async (output) => {
    await writeArchive("zip", groups(), join(output, "a.zip"), { signal, onProgress() {} });
  };
}

/** ZIP archives. */
export async function benchZip(): Promise<void> {
  for (const key of ["small", "big"] as const) {
    const source = makeDataSet(key);
    await compare({
      name: `zip, ${dataSets[key].name}`,
      ours: archiveOf(source),
      theirs: { "zip -r": shell(`cd ${source} && zip -qr $OUT/a.zip .`) },
    });
  }
}
