/** Runs a Python program where it can do no harm, or not at all. */
import { existsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { commandLine, environment, type PythonLimits, python } from "./command-line.ts";
import { PythonError } from "./python-error.ts";
import { systemCallFilter } from "./system-call-filter.ts";
import { openUnlinked, writeAt } from "./unlinked-file.ts";

/** A program's text, what it reads from descriptor 0 and what it writes to descriptor 1. */
export interface SandboxJob {
  program: string;
  /** Files for our own use are made here, without names. */
  directory: string;
  input: FileHandle;
  output: FileHandle;
  limits: PythonLimits;
  signal: AbortSignal;
}

/** How a program ended. Status 128 and more: by a signal. */
export interface SandboxEnd {
  status: number;
  isOutOfTime: boolean;
  /** What it wrote to descriptor 2: the first 64 KB. */
  log: string;
}

const mostLogBytes = 64 * 1024;

export const defaultLimits: PythonLimits = {
  seconds: 600,
  cpuSeconds: 600,
  memoryBytes: 2 * 1024 ** 3,
  fileBytes: 4 * 1024 ** 3,
  openFiles: 256,
  threads: 64,
};

/** Reads to the end, because a full pipe would hold the program up, and keeps the beginning. */
async function beginningOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const kept: Uint8Array[] = [];
  let room = mostLogBytes;
  let isCut = false;
  for await (const chunk of stream) {
    if (room > 0) kept.push(chunk.subarray(0, room));
    isCut ||= chunk.length > room;
    room = Math.max(0, room - chunk.length);
  }
  return `${Buffer.concat(kept).toString()}${isCut ? "\n… (the rest was dropped)\n" : ""}`;
}

/** The fourth descriptor is `filterDescriptor`. */
function start({ program, limits, input, output }: SandboxJob, filter: FileHandle) {
  return Bun.spawn(commandLine(program, limits), {
    stdio: [input.fd, output.fd, "pipe", filter.fd],
    env: environment,
    cwd: "/",
  });
}

/** Without asking whether there is a sandbox: where there is none bubblewrap starts nothing. */
async function run(job: SandboxJob): Promise<SandboxEnd> {
  job.signal.throwIfAborted();
  const filter = await openUnlinked(job.directory);
  try {
    await writeAt(filter, systemCallFilter(), 0);
    job.signal.throwIfAborted();
    const child = start(job, filter);
    let isOutOfTime = false;
    // bubblewrap takes everything inside with it, whatever it started (--die-with-parent, and the end of the process namespace).
    const kill = () => child.kill("SIGKILL");
    const timer = setTimeout(() => {
      isOutOfTime = true;
      kill();
    }, job.limits.seconds * 1000);
    job.signal.addEventListener("abort", kill);
    try {
      const [log, status] = await Promise.all([beginningOf(child.stderr), child.exited]);
      return { status: child.signalCode ? 137 : status, isOutOfTime, log };
    } finally {
      clearTimeout(timer);
      job.signal.removeEventListener("abort", kill);
    }
  } finally {
    await filter.close();
  }
}

const probe = `
import importlib.util, sys
sys.exit(0 if importlib.util.find_spec("pandas") else 42)
`;
const statusNoPandas = 42;

async function findMissing(): Promise<string | null> {
  if (process.arch !== "x64") return `its filter of system calls is for x86-64, and this is ${process.arch}`;
  const programs = ["bwrap", "prlimit", ...(process.getuid?.() === 0 ? ["setpriv"] : [])];
  const absent = programs.filter((name) => Bun.which(name, environment) === null);
  if (!existsSync(python)) absent.push(python);
  if (absent.length > 0)
    return `not installed: ${absent.join(", ")} (Debian: bubblewrap, util-linux, python3)`;
  const file = await openUnlinked(tmpdir());
  try {
    const job = { program: probe, directory: tmpdir(), input: file, output: file, limits: defaultLimits };
    const { status, log } = await run({ ...job, signal: AbortSignal.timeout(20_000) });
    if (status === statusNoPandas) return `${python} has no pandas (Debian: python3-pandas)`;
    return status === 0
      ? null
      : `bubblewrap 0.8 or newer cannot make one: ${log.trim().split("\n").at(-1) || status}`;
  } finally {
    await file.close();
  }
}

let found: Promise<string | null> | null = null;

/** Null when Python can be run here, otherwise one sentence that says what is missing. What was found once is not looked for again. */
export async function missingForPython(): Promise<string | null> {
  found ??= findMissing().catch((error: unknown) => `it could not be tried: ${String(error)}`);
  const missing = await found;
  if (missing === null) return null;
  found = null;
  return `Python cannot be run: there is no sandbox for it here; ${missing}`;
}

/**
 * Runs a program in the sandbox until it ends by itself, at a limit, or within a second of `signal`, whose reason is then thrown.
 * Fails with PythonError `unavailable` where there is no sandbox: nothing runs unprotected.
 */
export async function runInSandbox(job: SandboxJob): Promise<SandboxEnd> {
  const missing = await missingForPython();
  if (missing !== null) throw new PythonError("unavailable", missing);
  const end = await run(job);
  job.signal.throwIfAborted();
  return end;
}
