/** Measuring against peers: the same data, the same run, turn by turn. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where data sets and outputs lie; kept between runs. */
export const benchDirectory = join(tmpdir(), "quintet-bench");

const levels = ["INFO", "WARN", "ERROR", "DEBUG"];
const services = ["billing", "orders", "auth", "gateway", "search"];

/** A small generator of repeatable pseudo-random numbers (xorshift32). */
function randomNumbers(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** `length` bytes of log lines that deflate to about a fifth; the same for the same seed. */
export function logText(length: number, seed: number): Buffer {
  const random = randomNumbers(seed * 2_654_435_761);
  const lines: string[] = [];
  for (let size = 0; size < length; ) {
    const time = new Date(1_700_000_000_000 + (random() % 1_000_000_000)).toISOString();
    const line = `${time} ${levels[random() % 4]} [${services[random() % 5]}] request ${random().toString(16)} took ${random() % 5000} ms, user ${random() % 10_000}, status ${200 + (random() % 4) * 100}\n`;
    lines.push(line);
    size += line.length;
  }
  return Buffer.from(lines.join("")).subarray(0, length);
}

export interface DataSet {
  name: string;
  files: number;
  fileBytes: number;
}

/** The research's data sets, and a third of very many very small files. */
export const dataSets = {
  small: { name: "small: 20,000 × 8 KiB", files: 20_000, fileBytes: 8 * 1024 },
  big: { name: "big: 4 × 256 MiB", files: 4, fileBytes: 256 * 1024 * 1024 },
  many: { name: "many: 200,000 × 1 KiB", files: 200_000, fileBytes: 1024 },
} satisfies Record<string, DataSet>;

/** Makes a data set once and answers its directory. */
export function makeDataSet(key: keyof typeof dataSets): string {
  const { files, fileBytes } = dataSets[key];
  const directory = join(benchDirectory, "data", key);
  if (existsSync(directory)) return directory;
  const partial = `${directory}.partial`;
  rmSync(partial, { recursive: true, force: true });
  // Large files repeat a piece that is far longer than what compressors look back.
  const piece = fileBytes > 16 * 1024 * 1024 ? logText(16 * 1024 * 1024, 7) : null;
  for (let n = 0; n < files; n++) {
    const folder = join(partial, String(Math.floor(n / 200)));
    if (n % 200 === 0) mkdirSync(folder, { recursive: true });
    const content = piece
      ? Buffer.concat(Array.from({ length: fileBytes / piece.length }, () => piece))
      : logText(fileBytes, n + 1);
    writeFileSync(join(folder, `${n}.log`), content);
  }
  renameSync(partial, directory);
  return directory;
}

/** One way to do the job; it is given an empty output directory. */
export type Contender = (output: string) => Promise<void>;

/** A contender that is a shell command; `$OUT` is the output directory. */
export const shell =
  (command: string): Contender =>
  async (output) => {
    const child = Bun.spawn(["sh", "-c", command], {
      env: { ...process.env, OUT: output },
      stdout: "ignore",
      stderr: "pipe",
    });
    if ((await child.exited) !== 0) throw new Error(`${command}: ${await new Response(child.stderr).text()}`);
  };

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function time(contender: Contender, name: string): Promise<number> {
  const output = join(benchDirectory, "output", name);
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  Bun.spawnSync(["sync"]);
  const start = performance.now();
  await contender(output);
  const seconds = (performance.now() - start) / 1000;
  rmSync(output, { recursive: true, force: true });
  return seconds;
}

/** Runs ours and theirs in turns, `rounds` pairs, and prints medians and the ratio theirs ÷ ours: above 1 we are faster. */
export async function compare(options: {
  name: string;
  ours: Contender;
  theirs: Record<string, Contender>;
  rounds?: number;
}): Promise<void> {
  const { name, ours, theirs, rounds = 5 } = options;
  for (const [peer, contender] of Object.entries(theirs)) {
    const own: number[] = [];
    const other: number[] = [];
    for (let round = 0; round < rounds; round++) {
      own.push(await time(ours, "ours"));
      other.push(await time(contender, "theirs"));
    }
    const ratio = median(other.map((seconds, round) => seconds / (own[round] ?? 1)));
    console.log(
      `${name.padEnd(34)} ours ${median(own).toFixed(2)} s, ${peer} ${median(other).toFixed(2)} s, ratio ${ratio.toFixed(2)}`,
    );
  }
}

/** Runs the command given as arguments and writes what it took: resource usage counts all children that a process ever had, so each gets a parent. */
const measuringProgram = `
const child = Bun.spawn(process.argv.slice(1), { stdout: "ignore", stderr: "inherit" });
const status = await child.exited;
const usage = child.resourceUsage();
console.log(JSON.stringify({ status, cpu: Number(usage.cpuTime.total) / 1e6, memory: usage.maxRSS / 2 ** 20 }));`;

/** Prints what one run of a command needs, with the largest of its processes for memory. `$OUT` is an empty directory. */
export async function resourcesOf(name: string, command: string[]): Promise<void> {
  const output = join(benchDirectory, "output", "resources");
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const child = Bun.spawn([process.execPath, "-e", measuringProgram, ...command], {
    env: { ...process.env, OUT: output },
    stdout: "pipe",
    stderr: "inherit",
  });
  const { status, cpu, memory } = JSON.parse(await new Response(child.stdout).text());
  if (status !== 0) throw new Error(`${command.join(" ")} failed`);
  console.log(`  ${name.padEnd(32)} cpu ${cpu.toFixed(2)} s, memory ${memory.toFixed(0)} MiB`);
  rmSync(output, { recursive: true, force: true });
}
