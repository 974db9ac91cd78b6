/** The document's sample clients, as their reader runs them: only address, token and user id are filled in. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./server.ts";

export interface Client {
  /** Waits until a line of its output fits. */
  line(pattern: RegExp): Promise<string>;
  /** Waits for its end; answers everything that it said. */
  end(): Promise<{ status: number; output: string[]; complaint: string }>;
}

/** `code` with the server's address in place of the document's, and with other texts replaced, each of which must be there. */
export function filledIn(code: string, url: string, replacements: Record<string, string> = {}): string {
  const all = { "localhost:8000": new URL(url).host, ...replacements };
  return Object.entries(all).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the sample does not hold ${from}`);
    return text.replaceAll(from, to);
  }, code);
}

/** Starts a client; `name` is that of the file that its code is put into. */
export function startClient(program: string, name: string, code: string): Client {
  const path = join(temporaryDirectory("client"), name);
  writeFileSync(path, code);
  const child = Bun.spawn([program, path], {
    env: { PATH: process.env.PATH ?? "", PYTHONUTF8: "1", PYTHONUNBUFFERED: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output: string[] = [];
  let heard = Promise.withResolvers<void>();
  let isOver = false;
  const read = async () => {
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      output.push(...lines);
      heard.resolve();
      heard = Promise.withResolvers();
    }
    isOver = true;
    heard.resolve();
  };
  const reading = read();
  const complaint = new Response(child.stderr).text();
  return {
    async line(pattern) {
      for (;;) {
        const found = output.find((line) => pattern.test(line));
        if (found !== undefined) return found;
        if (isOver) throw new Error(`it ended without ${pattern}: ${await complaint}`);
        await heard.promise;
      }
    },
    async end() {
      const status = await child.exited;
      await reading;
      return { status, output, complaint: await complaint };
    },
  };
}
