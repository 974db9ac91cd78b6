/** The server as a process of its own, as its user starts it. */
import { join } from "node:path";

export interface ServerProcess {
  pid: number;
  url: string;
  /** Everything that was logged so far, one parsed JSON object a line. */
  log(): Record<string, unknown>[];
  kill(signal: NodeJS.Signals): void;
  exited: Promise<number>;
}

export interface Ended {
  status: number;
  stderr: string;
  stdout: string;
}

const root = join(import.meta.dir, "../..");
const fromSource = [process.execPath, join(root, "src/main.ts")];

export interface SpawnOptions {
  /** Program and first arguments; the source under Bun when not given. */
  command?: string[];
  env?: Record<string, string>;
  cwd?: string;
}

function spawn(args: string[], { command = fromSource, env = {}, cwd = root }: SpawnOptions) {
  const environment = {
    PATH: process.env.PATH ?? "",
    HOST: "127.0.0.1",
    PORT: "0",
    RATE_LIMITS: "off",
    ...env,
  };
  return Bun.spawn([...command, ...args], {
    cwd,
    env: environment,
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
  });
}

/** Starts `quintet serve` and waits until it is ready. Throws with its complaint when it ends instead. */
export async function startProcess(
  dataDirectory: string,
  options: SpawnOptions = {},
): Promise<ServerProcess> {
  const child = spawn(["serve", "--data", dataDirectory], options);
  const lines: Record<string, unknown>[] = [];
  const complaint = new Response(child.stderr).text();
  const ready = Promise.withResolvers<string>();
  const read = async () => {
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const line = JSON.parse(part) as Record<string, unknown>;
        lines.push(line);
        if (line.msg === "quintet is ready") ready.resolve(String(line.url));
      }
    }
    ready.reject(new Error(`the server ended: ${await complaint}`));
  };
  void read();
  const url = new URL(await ready.promise).origin;
  return {
    pid: child.pid,
    url,
    log: () => lines,
    kill: (signal) => child.kill(signal),
    exited: child.exited,
  };
}

/** Runs the command line to its end. */
export async function runToEnd(args: string[], options: SpawnOptions = {}): Promise<Ended> {
  const child = spawn(args, options);
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}
