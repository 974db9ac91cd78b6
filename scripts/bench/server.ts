/** A server of its own for benchmarks over the network. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BenchServer {
  /** Origin, for example `http://127.0.0.1:40123`. */
  url: string;
  pid: number;
  dataDirectory: string;
  stop(): Promise<void>;
}

const main = join(import.meta.dir, "../../src/main.ts");

/** Starts `quintet serve` from source in a fresh directory, without rate limits. */
export async function startBenchServer(environment: Record<string, string> = {}): Promise<BenchServer> {
  const directory = mkdtempSync(join(tmpdir(), "quintet-bench-server-"));
  const child = Bun.spawn([process.execPath, main, "serve", "--data", join(directory, "data")], {
    env: {
      PATH: process.env.PATH ?? "",
      HOST: "127.0.0.1",
      PORT: "0",
      RATE_LIMITS: "off",
      ...environment,
    },
    stdout: "pipe",
    stderr: "inherit",
  });
  const ready = Promise.withResolvers<string>();
  const read = async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream()))
      for (const line of chunk.split("\n"))
        if (line.includes("quintet is ready")) ready.resolve(new URL(JSON.parse(line).url).origin);
    ready.reject(new Error("the server ended"));
  };
  void read();
  return {
    url: await ready.promise,
    pid: child.pid,
    dataDirectory: join(directory, "data"),
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
