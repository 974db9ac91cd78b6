/**
 * Rows moved in a process of their own, so that its memory is that of the work alone and not of the tests before it. Run as a program it does one
 * `Errand` and prints what it `Moved`.
 */
import type { ReadRequest } from "../../src/services/pipelines/connect/connector.ts";
import { Systems } from "../../src/services/pipelines/connect/registry.ts";
import type { Column } from "../../src/services/pipelines/connect/types.ts";

interface Errand {
  type: string;
  config: Record<string, unknown>;
  credentials: Record<string, unknown>;
  /** Written first: a line, so many times. */
  write?: { table: string; columns: Column[]; line: string; times: number };
  /** Read then, with a pause after each of the first chunks. */
  read?: { request: ReadRequest; pauses: number };
}

export interface Moved {
  written: number;
  bytes: number;
  lines: number;
  chunks: number;
  /** Bytes: the most that the process ever held, Bun itself (about 90 MB) included. */
  peakMemory: number;
}

/** Does an errand in a process of its own. Throws with its complaint when it fails. */
export async function alone(errand: Errand): Promise<Moved> {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(errand)], { stderr: "pipe" });
  const [text, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(complaint);
  return JSON.parse(text);
}

async function run({ type, config, credentials, write, read }: Errand): Promise<Moved> {
  const never = new AbortController().signal;
  const connector = new Systems({ roots: [], dataDirectory: "" }).open(type, { config, credentials });
  const moved: Moved = { written: 0, bytes: 0, lines: 0, chunks: 0, peakMemory: 0 };
  if (write && connector.stage) {
    const { table, columns, line, times } = write;
    const atOnce = 2_500;
    const part = Buffer.from(line.repeat(atOnce));
    const made = async function* () {
      for (let done = 0; done < times; done += atOnce) yield part;
    };
    const request = { table, mode: "append", key: [], onSchemaChange: "fail" } as const;
    const staged = await connector.stage(request, { columns, chunks: made() }, "alone", never);
    await staged.publish();
    moved.written = staged.rows;
  }
  if (read)
    for await (const chunk of (await connector.read(read.request, never)).chunks) {
      if (moved.chunks++ < read.pauses) await Bun.sleep(20);
      moved.bytes += chunk.length;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) moved.lines++;
    }
  await connector.close();
  moved.peakMemory = await peakMemory();
  return moved;
}

/** As the kernel counted it (proc(5), VmHWM). What `getrusage` says includes the parent at the time of the fork. */
async function peakMemory(): Promise<number> {
  const status = await Bun.file("/proc/self/status").text();
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

if (import.meta.main) console.log(JSON.stringify(await run(JSON.parse(process.argv[2] as string))));
