/**
 * Copying against `cp -a` and `rsync -a`, on the research's data sets. Ours is durable and hashed when it ends; theirs is
 * neither, so each is also taken with the `sync -f` that makes it durable, and `cp` with the `sha256sum` that hashes it.
 * Medians of interleaved pairs; a ratio is their time by ours. Usage: `bun scripts/bench/copy.ts [small] [big] [many]`.
 *
 * Every run writes into a new directory and nothing is deleted between the runs of a data set: ext4 passes over inodes
 * freed in the last minutes one by one, which makes whatever runs after an `rm -r` look up to ten times slower.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collectFiles } from "../../src/services/collector/collect/collect.ts";
import { finish } from "../../src/services/collector/collect/finish.ts";
import type { CollectOptions } from "../../src/services/collector/collect/options.ts";

const dataSets = {
  small: { files: 20_000, bytes: 8192, perDirectory: 200 },
  big: { files: 4, bytes: 256 * 1_048_576, perDirectory: 4 },
  many: { files: 200_000, bytes: 1024, perDirectory: 500 },
} as const;
type DataSet = keyof typeof dataSets;

const pairs = 5;

/** What one run took. */
interface Cost {
  seconds: number;
  cpuSeconds: number;
  /** Peak resident memory in MiB. */
  memory: number;
}

function generate(name: DataSet, directory: string): void {
  const { files, bytes, perDirectory } = dataSets[name];
  const content = Buffer.alloc(bytes);
  for (let offset = 0; offset < bytes; offset += 65_536) {
    crypto.getRandomValues(content.subarray(offset, Math.min(offset + 65_536, bytes)));
  }
  for (let file = 0; file < files; file++) {
    const parent = join(directory, `d${Math.floor(file / perDirectory)}`);
    if (file % perDirectory === 0) mkdirSync(parent, { recursive: true });
    content.writeUInt32LE(file, 0);
    writeFileSync(join(parent, `f${file}.log`), content);
  }
}

async function measure(command: string[]): Promise<Cost> {
  const start = performance.now();
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
  const usage = child.resourceUsage();
  return {
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: Number(usage?.cpuTime.total ?? 0) / 1e6,
    memory: (usage?.maxRSS ?? 0) / 1_048_576,
  };
}

const contestants: Record<string, (source: string, target: string) => string[]> = {
  ours: (source, target) => [process.execPath, import.meta.path, "--collect", source, target],
  "cp -a": (source, target) => ["cp", "-a", source, target],
  "cp -a, sync": (source, target) => shell('cp -a "$0" "$1" && sync -f "$1"', source, target),
  "cp -a, sync, sha256sum": (source, target) =>
    shell(
      'cp -a "$0" "$1" && sync -f "$1" && find "$1" -type f -print0 | xargs -0 -n 500 -P 2 sha256sum',
      source,
      target,
    ),
  "rsync -a": (source, target) => ["rsync", "-a", `${source}/`, target],
  "rsync -a, sync": (source, target) => shell('rsync -a "$0/" "$1" && sync -f "$1"', source, target),
};

function shell(script: string, ...args: string[]): string[] {
  return ["sh", "-c", script, ...args];
}

async function run(name: DataSet, root: string): Promise<void> {
  const source = join(root, name);
  generate(name, source);
  const costs = new Map<string, Cost[]>();
  // The first round warms the page cache and is thrown away.
  for (let pair = 0; pair <= pairs; pair++) {
    for (const [contestant, command] of Object.entries(contestants)) {
      const target = join(root, `${name}-${contestant.replaceAll(/\W+/g, "-")}-${pair}`);
      Bun.spawnSync(["sync"]);
      const cost = await measure(command(source, target));
      if (pair > 0) costs.set(contestant, [...(costs.get(contestant) ?? []), cost]);
      // Four inodes are not worth keeping, four gigabytes a round are.
      if (name === "big") rmSync(target, { recursive: true });
    }
  }
  print(name, costs);
}

function print(name: DataSet, costs: ReadonlyMap<string, Cost[]>): void {
  const { files, bytes } = dataSets[name];
  console.log(`\n${name}: ${files} files of ${bytes} bytes, medians of ${pairs}`);
  const ours = costs.get("ours") ?? [];
  for (const [contestant, taken] of costs) {
    const ratio = median(taken.map(({ seconds }, pair) => seconds / (ours[pair]?.seconds ?? Number.NaN)));
    const [seconds, cpu, memory] = (["seconds", "cpuSeconds", "memory"] as const).map((key) =>
      median(taken.map((cost) => cost[key])).toFixed(2),
    );
    console.log(
      `${contestant.padEnd(24)} ${seconds} s  cpu ${cpu} s  ${memory} MiB  ratio ${ratio.toFixed(2)}`,
    );
  }
}

function median(values: number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function collectOnce(source: string, target: string): Promise<void> {
  const options: CollectOptions = {
    jobId: "bench",
    sources: [source],
    target,
    patterns: [],
    exclude: [],
    mode: "copy",
    forbidden: [],
  };
  const { signal } = new AbortController();
  const { failedFiles } = await collectFiles(options, { signal, onProgress: () => undefined });
  await finish(options);
  if (failedFiles > 0) throw new Error(`${failedFiles} files failed`);
}

const [first, source, target, ...names] = process.argv.slice(2);
if (first === "--collect" && source !== undefined && target !== undefined) {
  await collectOnce(source, target);
} else {
  const wanted = [first, source, target, ...names].filter((name) => name !== undefined && name in dataSets);
  const root = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "quintet-bench-"));
  try {
    for (const name of Object.keys(dataSets) as DataSet[]) {
      if (wanted.length === 0 || wanted.includes(name)) await run(name, root);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
