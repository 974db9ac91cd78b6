/** Turns of ours and the peers, by the clock of whoever waits for them, and what memory the server needed for its own. */
import { readFileSync, writeFileSync } from "node:fs";

/** One way to move the rows. */
export interface Contender {
  name: string;
  /** Before the clock starts. */
  prepare?(): Promise<unknown>;
  run(): Promise<unknown>;
  /** Of what its turn made: the same for all who did the same. */
  summary(): Promise<string>;
  /** Removes what its turn made. */
  remove(): Promise<unknown>;
}

export interface Comparison {
  name: string;
  rows: number;
  bytes: number;
  ours: Contender;
  theirs: Contender[];
}

export interface Conditions {
  rounds: number;
  /** The server's process, and its memory when it had nothing to do (MiB). */
  pid: number;
  idle: number;
  /** Leaves nothing of the turn before to be done in the next one. */
  settle(): Promise<unknown>;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** MiB from a line of a process's status. */
const statusOf = (pid: number, line: "VmRSS" | "VmHWM"): number =>
  Number(new RegExp(`^${line}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) /
  1024;

/** MiB of memory that a process has now, what it shares with others too. */
export const residentOf = (pid: number): number => statusOf(pid, "VmRSS");

/** Has Linux forget how much memory a process once had (proc(5), clear_refs). */
const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** What one contender's turns took, and a summary of what the last one made. */
interface Taken {
  seconds: number[];
  summary: string;
}

/** One turn; answers the server's most memory meanwhile (MiB). */
async function turn(contender: Contender, record: Taken, { pid, settle }: Conditions): Promise<number> {
  await contender.prepare?.();
  await settle();
  forgetPeak(pid);
  const start = performance.now();
  await contender.run();
  record.seconds.push((performance.now() - start) / 1000);
  return statusOf(pid, "VmHWM");
}

function checkSame(records: ReadonlyMap<Contender, Taken>): void {
  const [first] = records.values();
  for (const [{ name }, { summary }] of records)
    if (summary !== first?.summary)
      throw new Error(`${name} made ${summary} of the same rows, ours ${first?.summary}`);
}

const widths = { name: 44, peer: 38, seconds: 10, rate: 20, ratio: 7 };

const line = (...[name, peer, ours, theirs, rate, ratio, memory]: string[]): void =>
  console.log(
    [
      name?.padEnd(widths.name),
      peer?.padEnd(widths.peer),
      ours?.padStart(widths.seconds),
      theirs?.padStart(widths.seconds),
      ratio?.padStart(widths.ratio),
      rate?.padStart(widths.rate),
      `  ${memory}`,
    ].join(""),
  );

export const printHead = (): void =>
  line("", "beside", "ours", "theirs", "ours, each second", "ratio", "server's peak above idle");

/** A line that cannot be measured. */
export const printSkipped = (name: string, why: string): void =>
  line(name, `skipped: ${why}`, "", "", "", "", "");

/** Runs all in turns, every second round in the other order, and prints medians and the ratio theirs ÷ ours: above 1 we are faster. Throws when the results differ. */
export async function compareTurns(comparison: Comparison, conditions: Conditions): Promise<void> {
  const { ours, theirs } = comparison;
  const { rounds, idle } = conditions;
  const all = [ours, ...theirs];
  const records = new Map<Contender, Taken>(all.map((each) => [each, { seconds: [], summary: "" }]));
  let peak = 0;
  for (let round = 0; round < rounds; round++)
    for (const contender of round % 2 === 0 ? all : all.toReversed()) {
      const record = records.get(contender) as Taken;
      const most = await turn(contender, record, conditions);
      if (contender === ours) peak = Math.max(peak, most);
      if (round === rounds - 1) record.summary = await contender.summary();
      await contender.remove();
    }
  checkSame(records);
  printComparison(comparison, records, peak - idle);
}

function printComparison(
  { name, rows, bytes, ours, theirs }: Comparison,
  records: ReadonlyMap<Contender, Taken>,
  above: number,
): void {
  const own = records.get(ours)?.seconds ?? [];
  const rate = `${(rows / median(own) / 1000).toFixed(0)} k, ${(bytes / median(own) / 1e6).toFixed(1)} MB`;
  const memory = `${above.toFixed(0)} MiB`;
  const text = (seconds: readonly number[]) => `${median(seconds).toFixed(2)} s`;
  if (theirs.length === 0) line(name, "–", text(own), "–", rate, "–", memory);
  for (const peer of theirs) {
    const other = records.get(peer)?.seconds ?? [];
    const ratio = median(other.map((seconds, round) => seconds / (own[round] ?? Number.NaN)));
    line(name, peer.name, text(own), text(other), rate, ratio.toFixed(2), memory);
  }
}
