import { afterAll, expect } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transformWithPython } from "../../../src/services/pipelines/run/python/transform.ts";
import { column, processesWith, sandboxTest } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "quintet-abort-"));
afterAll(() => rmSync(directory, { recursive: true }));

const columns = [column("a", "int64")];

/** Our open files in the directory: they have no names there any more. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return [];
    }
  });
}

/** Rows without end, or `count` of them. */
async function* numbers(count = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < count; done += 1000) {
    yield Buffer.from("1\n".repeat(1000));
    await Bun.sleep(0);
  }
}

async function expectNothingLeft(): Promise<void> {
  expect(readdirSync(directory)).toEqual([]);
  expect(openFiles()).toEqual([]);
  expect(await processesWith("<transformation>")).toEqual([]);
}

const moments: { name: string; code: string; endless: boolean; after: number }[] = [
  { name: "rows still come", code: "df", endless: true, after: 600 },
  { name: "code runs", code: "while True: pass", endless: false, after: 1500 },
  {
    name: "code sleeps and minds no signal",
    code: "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)",
    endless: false,
    after: 1500,
  },
  { name: "code is compiled", code: "df", endless: false, after: 30 },
];

for (const { name, code, endless, after } of moments)
  sandboxTest(`an abort while ${name} leaves nothing`, async () => {
    const stop = new AbortController();
    const rows = { columns, chunks: numbers(endless ? undefined : 10) };
    const running = transformWithPython(rows, code, { directory, signal: stop.signal });
    setTimeout(() => stop.abort(new Error("cancelled")), after);
    const start = performance.now();
    await expect(running).rejects.toThrow("cancelled");
    expect(performance.now() - start).toBeLessThan(after + 1000);
    await Bun.sleep(300);
    await expectNothingLeft();
  });

sandboxTest("an abort while the result is read, and before anybody read it", async () => {
  for (const readsFirst of [true, false]) {
    const stop = new AbortController();
    const options = { directory, signal: stop.signal };
    const result = await transformWithPython({ columns, chunks: numbers(2_000_000) }, "df", options);
    const chunks = result.chunks[Symbol.asyncIterator]();
    if (readsFirst) expect((await chunks.next()).value.length).toBe(1 << 20);
    stop.abort(new Error("cancelled"));
    await expect((async () => chunks.next())()).rejects.toThrow("cancelled");
    await Bun.sleep(50);
    await expectNothingLeft();
  }
});

sandboxTest("a result that is left, and a source that fails", async () => {
  const options = { directory, signal: AbortSignal.timeout(60_000) };
  const result = await transformWithPython({ columns, chunks: numbers(2_000_000) }, "df", options);
  for await (const _ of result.chunks) break;
  const failing = (async function* () {
    yield Buffer.from("1\n");
    throw new Error("the source is gone");
  })();
  await expect(transformWithPython({ columns, chunks: failing }, "df", options)).rejects.toThrow("is gone");
  await Bun.sleep(50);
  await expectNothingLeft();
});

sandboxTest("a server that is killed takes its transformations with it", async () => {
  const source = new URL("../../../src/services/pipelines/run/python/transform.ts", import.meta.url).pathname;
  const script = `
    const { transformWithPython } = await import(${JSON.stringify(source)});
    async function* chunks() { yield Buffer.from("1\\n"); }
    const columns = [{ name: "a", type: { kind: "int64" }, nullable: true }];
    const onLog = console.log;
    await transformWithPython({ columns, chunks: chunks() }, "import time\\ntime.sleep(60)", { directory: ${JSON.stringify(directory)}, signal: AbortSignal.timeout(60000) });`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "inherit" });
  const deadline = Date.now() + 20_000;
  while ((await processesWith("-I\0-B\0-c")).length === 0 && Date.now() < deadline) await Bun.sleep(50);
  await Bun.sleep(1000);
  child.kill("SIGKILL");
  await child.exited;
  await Bun.sleep(500);
  await expectNothingLeft();
});
