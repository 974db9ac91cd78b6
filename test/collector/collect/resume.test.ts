import { expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collectFiles } from "../../../src/services/collector/collect/collect.ts";
import { finish } from "../../../src/services/collector/collect/finish.ts";
import type { CollectMode } from "../../../src/services/collector/collect/options.ts";
import { optionsFor, snapshot, temporaryDirectory, writeTree } from "./support.ts";

setDefaultTimeout(300_000);

const kills = 10;

function makeSource(root: string): string {
  const source = join(root, "source");
  const files = Array.from({ length: 1500 }, (_, index) => [
    `source/d${index % 30}/f${index}`,
    Buffer.alloc(1 + ((index * 7919) % 20_000), index),
  ]);
  writeTree(root, Object.fromEntries(files));
  writeTree(root, { "source/large": Buffer.alloc(24 << 20, "large"), "source/empty/": "" });
  symlinkSync("large", join(source, "link"));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff])]), "not UTF-8");
  return source;
}

/** Runs the collection until it has said `after` lines, and kills it then; true when it was done before that. */
async function runUntil(options: object, after: number, pauseMs: number): Promise<boolean> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "resume.child.ts"), JSON.stringify(options)],
    {
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    const isDue = text.split("\n").length - 1 >= after && !text.includes("done");
    if (isDue) setTimeout(() => child.kill("SIGKILL"), pauseMs);
  }
  await child.exited;
  if (!text.includes("done")) return false;
  expect(text).toContain("done 1503 1503");
  return true;
}

for (const mode of ["copy", "move", "move_remove"] satisfies CollectMode[]) {
  test(`${mode} killed at random moments ends as if it never had been`, async () => {
    const root = temporaryDirectory();
    const source = makeSource(root);
    const before = snapshot(source);
    const target = join(root, "target");
    // A clash with a different file, so that numbering is resumed too.
    writeTree(target, { "d0/f0": "was here first" });
    const options = optionsFor([source], target, { mode });
    let done = false;
    for (let kill = 0; kill < kills && !done; kill++) {
      done = await runUntil(options, Math.floor(Math.random() * 6), Math.random() * 120);
    }
    if (!done) done = await runUntil(options, Number.POSITIVE_INFINITY, 0);
    expect(done).toBe(true);
    await finish(options);

    const ours = snapshot(target).filter((line) => !line.startsWith("d0/f0 "));
    const expected = before.map((line) => line.replace(/^d0\/f0 /, "d0/f0-2 "));
    expect(ours).toEqual(expected.sort());
    expect(readdirSync(target).filter((name) => name.startsWith(".quintet"))).toEqual([]);
    const left = readdirSync(source, { recursive: true }).length;
    if (mode === "copy") expect(snapshot(source)).toEqual(before);
    if (mode === "move") expect(left).toBe(31);
    if (mode === "move_remove") expect(left).toBe(0);
  });
}

test("a torn last line of the journal is done again", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "source/b": "2" });
  const target = join(root, "target");
  const options = optionsFor([join(root, "source")], target);
  const run = { signal: new AbortController().signal, onProgress: () => undefined };
  await collectFiles(options, run);
  const journal = join(target, ".quintet-test/journal");
  const lines = (await Bun.file(journal).text()).split("\n");
  await Bun.write(journal, `${lines[0]}\n${lines[1]?.slice(0, 20)}`);
  const again = await collectFiles(options, run);
  expect(again).toMatchObject({ totalFiles: 2, processedFiles: 2 });
  expect((await Array.fromAsync(again.records())).flat()).toHaveLength(2);
  await finish(options);
  expect(readdirSync(target).sort()).toEqual(["a", "b"]);
});

test("an interrupted walk is begun again", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1" });
  const target = join(root, "target");
  mkdirSync(join(target, ".quintet-test"), { recursive: true });
  appendFileSync(join(target, ".quintet-test/plan"), "half a row");
  const options = optionsFor([join(root, "source")], target);
  const run = { signal: new AbortController().signal, onProgress: () => undefined };
  expect(await collectFiles(options, run)).toMatchObject({ totalFiles: 1, processedFiles: 1 });
  expect(existsSync(join(target, "a"))).toBe(true);
});
