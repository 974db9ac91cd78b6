/** Transformations in Python: rows go through a file without a name into the sandbox, and through another one back. */
import type { FileHandle } from "node:fs/promises";
import type { Column, RowStream } from "../../connect/types.ts";
import type { PythonLimits } from "./command-line.ts";
import { program } from "./program.py.ts";
import { PythonError } from "./python-error.ts";
import { type Header, readHeader, rowsOf } from "./result.ts";
import { defaultLimits, runInSandbox, type SandboxEnd } from "./sandbox.ts";
import { openUnlinked, writeAt } from "./unlinked-file.ts";

export interface PythonOptions {
  /** Where files are made, without names, of the size of the rows that come and of those that go. */
  directory: string;
  signal: AbortSignal;
  /** The dict `parameters` of the code. */
  parameters?: Record<string, unknown>;
  limits?: Partial<PythonLimits>;
  /** Takes what the code printed, the first 64 KB of it, whether it failed or not. */
  onLog?(text: string): void;
}

/** What the program is told, as the first line of its input. */
interface Task {
  code: string;
  only_check: boolean;
  columns: Column[];
  parameters: Record<string, unknown>;
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MB`;
const statusCpu = 128 + 24;
const statusKilled = 128 + 9;

function withoutResult({ status, isOutOfTime }: SandboxEnd, limits: PythonLimits): PythonError {
  if (isOutOfTime)
    return new PythonError("time", `the transformation took more than its ${limits.seconds} seconds`);
  if (status === statusCpu)
    return new PythonError("time", `the transformation took more than its ${limits.cpuSeconds} CPU seconds`);
  if (status === statusKilled)
    return new PythonError("killed", "Python was killed: by the system, for want of memory, or by a limit");
  if (status > 128) return new PythonError("killed", `Python crashed with signal ${status - 128}`);
  return new PythonError("killed", `Python ended with status ${status} and left no result`);
}

function failed({ error }: Extract<Header, { error: unknown }>, limits: PythonLimits): PythonError {
  const words = {
    memory: `the transformation needs more than its ${megabytes(limits.memoryBytes)} of memory`,
    disk: "No space left on device for the rows that the transformation makes",
    size: `the transformation writes more than its ${megabytes(limits.fileBytes)}`,
    processes: `the transformation may start no processes and at most ${limits.threads} threads`,
  };
  const message = error.fault in words ? words[error.fault as keyof typeof words] : error.message;
  return new PythonError(error.fault, message, error.line);
}

async function writeInput(file: FileHandle, task: Task, rows: RowStream, signal: AbortSignal): Promise<void> {
  let position = await writeAt(file, Buffer.from(`${JSON.stringify(task)}\n`), 0);
  for await (const chunk of rows.chunks) {
    signal.throwIfAborted();
    position = await writeAt(file, chunk, position);
  }
}

/** Runs a task to its header. The output stays the caller's to close, as long as this does not throw. */
async function perform(
  task: Task,
  rows: RowStream,
  options: PythonOptions,
): Promise<{ header: Header; end: number; output: FileHandle }> {
  const { directory, signal } = options;
  const limits = { ...defaultLimits, ...options.limits };
  signal.throwIfAborted();
  const input = await openUnlinked(directory);
  const output = await openUnlinked(directory).catch(async (error: unknown) => {
    await input.close();
    throw error;
  });
  try {
    await writeInput(input, task, rows, signal);
    const end = await runInSandbox({ program, directory, input, output, limits, signal });
    if (end.log !== "") options.onLog?.(end.log);
    const found = end.status === 0 ? await readHeader(output) : null;
    if (found === null) throw withoutResult(end, limits);
    if ("error" in found.header) throw failed(found.header, limits);
    return { ...found, output };
  } catch (error) {
    await output.close();
    throw error;
  } finally {
    await input.close();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Compiles a transformation in the sandbox without running it. Fails with PythonError `syntax` and its line, or `unavailable`. */
export async function checkPython(
  code: string,
  { directory, signal }: Pick<PythonOptions, "directory" | "signal">,
): Promise<void> {
  const task = { code, only_check: true, columns: [], parameters: {} };
  const { output } = await perform(task, { columns: [], chunks: nothing() }, { directory, signal });
  await output.close();
}

/**
 * Runs `code` on all rows as the data frame `df`. The code defines `transform(df)`, or is an expression on `df`, or statements that change `df` or assign
 * `result`; what it leaves becomes rows, with a named index as columns. Integers are Int64, booleans boolean, dates and timestamps datetime64 (objects where
 * pandas cannot hold one of them), decimals Decimal, bytes bytes, arrays lists, the rest text. A column that keeps its name, and whose values still fit, keeps
 * its type; another one has the type of its values.
 *
 * Ends within moments of `signal` by throwing its reason. Fails with PythonError. The rows that are answered must be read or left, or the signal given.
 */
export async function transformWithPython(
  rows: RowStream,
  code: string,
  options: PythonOptions,
): Promise<RowStream> {
  await checkPython(code, options);
  const task = { code, only_check: false, columns: rows.columns, parameters: options.parameters ?? {} };
  const { header, end, output } = await perform(task, rows, options);
  if ("columns" in header) return rowsOf(output, end, header, options.signal);
  await output.close();
  throw new PythonError("result", "the transformation left an output that is not its result");
}
