/** Copying and archiving against the tools that administrators know. Ours is durable and hashed; `cp` and `zip` are neither. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeArchive } from "../../src/services/collector/archive/archive.ts";
import type { ArchiveEntry } from "../../src/services/collector/archive/entry.ts";
import { collectFiles } from "../../src/services/collector/collect/collect.ts";
import { finish } from "../../src/services/collector/collect/finish.ts";
import type { CollectOptions } from "../../src/services/collector/collect/options.ts";
import { type Contender, compare, dataSets, makeDataSet, shell } from "./measure.ts";

const signal = new AbortController().signal;

const collectFrom =
  (source: string): Contender =>
  async (output) => {
    const options: CollectOptions = {
      jobId: "bench",
      sources: [source],
      target: output,
      patterns: [],
      exclude: [],
      mode: "copy",
      forbidden: [],
    };
    const { failedFiles } = await collectFiles(options, { signal, onProgress() {} });
    if (failedFiles > 0) throw new Error(`${failedFiles} files failed`);
    await finish(options);
  };

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

export async function benchCollect(): Promise<void> {
  for (const key of ["small", "big", "many"] as const) {
    const source = makeDataSet(key);
    await compare({
      name: `copy, ${dataSets[key].name}`,
      ours: collectFrom(source),
      theirs: { "cp -a": shell(`cp -a ${source} $OUT/`), "rsync -a": shell(`rsync -a ${source}/ $OUT/`) },
    });
  }
  for (const key of ["small", "big"] as const) {
    const source = makeDataSet(key);
    await compare({
      name: `zip, ${dataSets[key].name}`,
      ours: archiveOf(source),
      theirs: { "zip -r": shell(`cd ${source} && zip -qr $OUT/a.zip .`) },
    });
  }
}
