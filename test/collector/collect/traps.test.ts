import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { collectFiles } from "../../../src/services/collector/collect/collect.ts";
import { compileMatcher } from "../../../src/services/collector/collect/match.ts";
import { removeSources } from "../../../src/services/collector/collect/removal-phase.ts";
import { needs } from "../../needs.ts";
import {
  collect,
  needsMount,
  optionsFor,
  recordOf,
  runs,
  snapshot,
  temporaryDirectory,
  writeTree,
} from "./support.ts";

// Five sparse gigabytes are hashed three times.
setDefaultTimeout(120_000);

/** The traps of the research, by their numbers there: first the plain way into the trap, then ours past it. */

test("1: a symlink planted in the target does not redirect a write", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/d/passwd": "collected", "outside/passwd": "precious" });
  mkdirSync(join(root, "target"));
  symlinkSync(join(root, "outside"), join(root, "target/d"));
  writeTree(root, { "precious copy": "precious" });
  copyFileSync(join(root, "precious copy"), join(root, "target/d/trapped"));
  expect(existsSync(join(root, "outside/trapped"))).toBe(true);
  await collect(optionsFor([join(root, "source")], join(root, "target")));
  expect(readFileSync(join(root, "outside/passwd"), "utf8")).toBe("precious");
  expect(readFileSync(join(root, "target/d-2/passwd"), "utf8")).toBe("collected");
});

test("1: a source directory swapped for a symlink while files move never costs a file outside", async () => {
  const root = temporaryDirectory();
  const names = Array.from({ length: 3000 }, (_, index) => `f${index}`);
  writeTree(root, Object.fromEntries(names.map((name) => [`source/victim/${name}`, "inside"])));
  writeTree(root, Object.fromEntries(names.map((name) => [`outside/${name}`, "inside"])));
  const swapper = Bun.spawn([
    process.execPath,
    "-e",
    `const fs = require("node:fs"); const [v, w, o] = ${JSON.stringify(["source/victim", "source/.away", "outside"].map((name) => join(root, name)))};
     for (;;) { try { fs.renameSync(v, w); fs.symlinkSync(o, v); fs.unlinkSync(v); fs.renameSync(w, v); } catch { break; } }`,
  ]);
  await collect(optionsFor([join(root, "source")], join(root, "target"), { mode: "move_remove" }));
  swapper.kill();
  await swapper.exited;
  expect(names.filter((name) => !existsSync(join(root, "outside", name)))).toEqual([]);
});

needs("mkfifo")("2: a FIFO does not hang the collection", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/file": "content" });
  runs("mkfifo", join(root, "source/pipe"));
  const copying = `require("node:fs").copyFileSync(${JSON.stringify(join(root, "source/pipe"))}, ${JSON.stringify(join(root, "copy"))})`;
  const trapped = Bun.spawnSync([process.execPath, "-e", copying], { timeout: 1500, killSignal: "SIGKILL" });
  expect(trapped.signalCode).toBe("SIGKILL");
  const result = await collect(optionsFor([join(root, "source")], join(root, "target")));
  expect(result).toMatchObject({ totalFiles: 1, processedFiles: 1, skippedFiles: 1 });
  expect(recordOf(result.files, "pipe")).toMatchObject({ status: "skipped", type: "special" });
});

describe("3: a file that grows while it is read", () => {
  async function collectGrowing(mode: "copy" | "move_remove") {
    const root = temporaryDirectory();
    const log = join(root, "source/growing.log");
    writeTree(root, { "source/growing.log": Buffer.alloc(64 << 20, "line\n") });
    const writer = Bun.spawn([
      process.execPath,
      "-e",
      `const fs = require("node:fs"); for (;;) fs.appendFileSync(${JSON.stringify(log)}, "x");`,
    ]);
    while (statSync(log).size === 64 << 20) await Bun.sleep(1);
    const result = await collect(optionsFor([join(root, "source")], join(root, "target"), { mode }));
    writer.kill();
    await writer.exited;
    return { result, log, copy: join(root, "target/growing.log") };
  }

  test("copy takes it as it was opened and says so", async () => {
    const { result, copy, log } = await collectGrowing("copy");
    const record = recordOf(result.files, "growing.log");
    expect(record?.note).toContain("changed");
    expect(statSync(copy).size).toBe(record?.size ?? -1);
    const bytes = readFileSync(copy);
    expect(bytes.equals(readFileSync(log).subarray(0, bytes.length))).toBe(true);
  });

  test("a moving mode fails it and leaves the source", async () => {
    const { result, copy, log } = await collectGrowing("move_remove");
    expect(result).toMatchObject({ totalFiles: 1, processedFiles: 0, failedFiles: 1 });
    expect(existsSync(copy)).toBe(false);
    expect(existsSync(log)).toBe(true);
  });
});

for (const mode of ["copy", "move", "move_remove"] as const) {
  needsMount()(
    `4: a full disk ends a ${mode} clearly, with nothing half-written and no source lost`,
    async () => {
      const root = temporaryDirectory();
      const target = join(root, "target");
      const files = Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`source/f${index}`, Buffer.alloc(1 << 20, index)]),
      );
      writeTree(root, files);
      mkdirSync(target);
      runs("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", target);
      try {
        writeTree(root, { large: Buffer.alloc(32 << 20, 1) });
        expect(() => copyFileSync(join(root, "large"), join(target, "trapped"))).toThrow();
        expect(existsSync(join(target, "trapped"))).toBe(true);
        rmSync(join(target, "trapped"));
        await expect(collect(optionsFor([join(root, "source")], target, { mode }))).rejects.toThrow(
          "No space left on device",
        );
        for (const [name, content] of Object.entries(files)) {
          const source = join(root, name);
          const copy = join(target, name.slice("source/".length));
          expect(existsSync(source) || existsSync(copy)).toBe(true);
          if (mode !== "move_remove") expect(existsSync(source)).toBe(true);
          if (existsSync(copy)) expect(readFileSync(copy).equals(content)).toBe(true);
        }
      } finally {
        runs("umount", target);
      }
    },
  );

  needsMount()(`5: ${mode} to another file system`, async () => {
    const root = temporaryDirectory();
    const target = join(root, "target");
    mkdirSync(target);
    runs("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", target);
    try {
      writeTree(root, { "source/a/small": "small", "source/big": Buffer.alloc(5 << 20, 7) });
      const before = snapshot(join(root, "source"));
      expect(() => renameSync(join(root, "source/big"), join(target, "big"))).toThrow("EXDEV");
      const result = await collect(optionsFor([join(root, "source")], target, { mode }));
      expect(result.failedFiles).toBe(0);
      expect(snapshot(target)).toEqual(before);
      expect(existsSync(join(root, "source/big"))).toBe(mode === "copy");
    } finally {
      runs("umount", target);
    }
  });
}

needs("mkfifo")("6: a tree with a FIFO, a socket and a dangling link is collected whole", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "source/z": "2" });
  runs("mkfifo", join(root, "source/fifo"));
  symlinkSync("nowhere", join(root, "source/link"));
  const socket = Bun.listen({ unix: join(root, "source/socket"), socket: { data() {} } });
  await expect(cp(join(root, "source"), join(root, "trapped"), { recursive: true })).rejects.toThrow();
  const result = await collect(optionsFor([join(root, "source")], join(root, "target")));
  socket.stop(true);
  expect(result).toMatchObject({ totalFiles: 3, processedFiles: 3, failedFiles: 0, skippedFiles: 2 });
});

test("7: names that are not UTF-8 survive byte for byte, in directories too", async () => {
  const root = temporaryDirectory();
  const directory = Buffer.concat([Buffer.from(`${root}/source/`), Buffer.from([0xe9, 0x80])]);
  mkdirSync(join(root, "source"));
  mkdirSync(directory);
  const name = Buffer.from(Array.from({ length: 126 }, (_, index) => 130 + index));
  writeFileSync(Buffer.concat([directory, Buffer.from("/"), name]), "content");
  const [trapped = ""] = readdirSync(join(root, "source"));
  expect(existsSync(join(root, "source", trapped))).toBe(false);
  await collect(optionsFor([join(root, "source")], join(root, "target"), { mode: "copy" }));
  expect(snapshot(join(root, "target"))).toEqual(snapshot(join(root, "source")));
});

needs("python3")("8: a pattern that explodes elsewhere takes no time here", () => {
  const backtracking = ["python3", "-c", `import re; re.search("^/(a+)+$", "/${"a".repeat(60)}!")`];
  const trapped = Bun.spawnSync(backtracking, { timeout: 1500, killSignal: "SIGKILL" });
  expect(trapped.signalCode).toBe("SIGKILL");
  const path = `/${"a".repeat(5000)}!`;
  const matcher = compileMatcher([
    { pattern: "^/(a+)+$", type: "regex" },
    { pattern: "*a*a*a*a*a*a*a*a*b", type: "glob" },
  ]);
  // A backtracking engine would not come back from this within the test's time limit.
  expect(matcher.matches(path, path.slice(1))).toBe(false);
  const bad = () => compileMatcher([{ pattern: "(", type: "regex" }]);
  expect(bad).toThrow(/^Invalid regex pattern: '\('\. Error: /);
});

test("9: a target inside a source does not collect itself", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "source/target/earlier": "kept out" });
  const [plain, into] = [join(root, "source"), join(root, "source/trapped")];
  Bun.spawnSync(["sh", "-c", 'mkdir "$1" && tar -C "$0" -cf "$1/t.tar" .', plain, into]);
  expect(Bun.spawnSync(["tar", "tf", join(into, "t.tar")]).stdout.toString()).toContain("./trapped/");
  rmSync(into, { recursive: true });
  const options = optionsFor([join(root, "source")], join(root, "source/target"));
  expect(await collect(options)).toMatchObject({ totalFiles: 1, processedFiles: 1 });
  expect(existsSync(join(root, "source/target/target"))).toBe(false);
});

needsMount()("9: a directory mounted within itself is walked once", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "source/again/": "" });
  runs("mount", "--bind", join(root, "source"), join(root, "source/again"));
  try {
    const result = await collect(optionsFor([join(root, "source")], join(root, "target")));
    expect(result.totalFiles).toBe(1);
    expect(result.warnings).toEqual([expect.stringContaining("mounted within itself")]);
  } finally {
    runs("umount", join(root, "source/again"));
  }
});

/** The plain way gives a sparse file its full size on the disk, and the copy a time of its own. */
async function trappedBySparse(root: string): Promise<void> {
  const [small, copy] = [join(root, "small"), join(root, "trapped")];
  const file = openSync(small, "w");
  ftruncateSync(file, 8 << 20);
  closeSync(file);
  utimesSync(small, 1_000_000_000, 1_000_000_000);
  await Bun.write(copy, await Bun.file(small).bytes());
  expect(statSync(copy).blocks * 512).toBe(8 << 20);
  expect(statSync(copy).mtimeMs).not.toBe(1e12);
}

test("10: sparse files stay sparse, with their time and the right hash", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "source"));
  const file = openSync(join(root, "source/sparse"), "w");
  ftruncateSync(file, 5 * 2 ** 30);
  writeSync(file, "in the middle", 3 * 2 ** 30);
  closeSync(file);
  await trappedBySparse(root);
  const result = await collect(optionsFor([join(root, "source")], join(root, "target"), { mode: "move" }));
  const copy = statSync(join(root, "target/sparse"));
  expect(result.failedFiles).toBe(0);
  expect(copy.size).toBe(5 * 2 ** 30);
  expect(copy.blocks * 512).toBeLessThan(1 << 20);
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(join(root, "target/sparse")).stream()) hasher.update(chunk);
  expect(recordOf(result.files, "sparse")?.sha256).toBe(hasher.digest("hex"));
});

needs(
  "setfattr",
  "getfattr",
  "setfacl",
  "getfacl",
)("extended attributes and ACLs are kept", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/d/file": "content" });
  runs("setfattr", "-n", "user.origin", "-v", "camera 7", join(root, "source/d/file"));
  runs("setfacl", "-m", "u:12345:rw", join(root, "source/d/file"));
  runs("setfacl", "-d", "-m", "u:12345:rx", join(root, "source/d"));
  await collect(optionsFor([join(root, "source")], join(root, "target")));
  for (const command of [
    ["getfattr", "-d"],
    ["getfacl", "-c"],
  ]) {
    for (const name of ["d/file", "d"]) {
      const [before, after] = ["source", "target"].map((side) =>
        Bun.spawnSync([...command, name], { cwd: join(root, side) }).stdout.toString(),
      );
      expect(after).toBe(before ?? "");
    }
  }
});

test("a source that changes after it was copied is not removed", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "first", "source/b": "stays as it is" });
  const options = optionsFor([join(root, "source")], join(root, "target"), { mode: "move" });
  const run = { signal: new AbortController().signal, onProgress: () => undefined };
  const collected = await collectFiles(options, run);
  appendFileSync(join(root, "source/a"), " and more");
  const { warnings } = await removeSources(options, collected, run);
  expect(warnings).toHaveLength(1);
  expect(readFileSync(join(root, "source/a"), "utf8")).toBe("first and more");
  expect(existsSync(join(root, "source/b"))).toBe(false);
  const files = (await Array.fromAsync(collected.records())).flat();
  expect(recordOf(files, "a")).toMatchObject({
    status: "copied",
    note: expect.stringContaining("source kept"),
  });
  expect(recordOf(files, "b")).toMatchObject({ status: "moved" });
});
