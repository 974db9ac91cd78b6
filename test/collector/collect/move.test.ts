import { expect, test } from "bun:test";
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { collectFiles } from "../../../src/services/collector/collect/collect.ts";
import { abandon } from "../../../src/services/collector/collect/finish.ts";
import { needs } from "../../needs.ts";
import { collect, optionsFor, recordOf, runs, snapshot, temporaryDirectory, writeTree } from "./support.ts";

test("move_remove empties the source, keeps the source itself and the directories' times", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a/b/c": "1", "source/d": "2", "source/empty/": "" });
  const before = snapshot(join(root, "source"));
  const result = await collect(
    optionsFor([join(root, "source")], join(root, "target"), { mode: "move_remove" }),
  );
  expect(snapshot(join(root, "target"))).toEqual(before);
  expect(readdirSync(join(root, "source"))).toEqual([]);
  expect(recordOf(result.files, "a/b/c")?.status).toBe("moved");
});

test("move_remove with patterns leaves what they do not name, and directories that were empty before", async () => {
  const root = temporaryDirectory();
  writeTree(root, {
    "source/a/x.log": "1",
    "source/b/y.log": "2",
    "source/b/z.txt": "3",
    "source/empty/": "",
  });
  const patterns = [{ pattern: "*.log", type: "glob" as const }];
  await collect(optionsFor([join(root, "source")], join(root, "target"), { mode: "move_remove", patterns }));
  expect(readdirSync(join(root, "source"), { recursive: true }).sort()).toEqual(["b", "b/z.txt", "empty"]);
});

test("move removes sources only in its second phase, and keeps the directories", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a/x": "1", "source/y": "2" });
  const options = optionsFor([join(root, "source")], join(root, "target"), { mode: "move" });
  await collectFiles(options, { signal: new AbortController().signal, onProgress: () => undefined });
  expect(existsSync(join(root, "source/a/x"))).toBe(true);
  await collect(options);
  expect(readdirSync(join(root, "source"), { recursive: true })).toEqual(["a"]);
});

const asUser = process.getuid?.() === 0 ? needs("setpriv") : test;

asUser("move removes nothing when one file failed; the rest is collected and told", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/open": "1", "source/closed": "2", "source/dir/x": "3" });
  mkdirSync(join(root, "target"));
  for (const name of ["", "target", "source", "source/open", "source/closed", "source/dir"])
    chmodSync(join(root, name), 0o777);
  chmodSync(join(root, "source/closed"), 0o000);
  chmodSync(join(root, "source/dir"), 0o700);
  const script = `
    import { collect, optionsFor } from ${JSON.stringify(join(import.meta.dir, "support.ts"))};
    const { totalFiles, processedFiles, failedFiles, files } = await collect(optionsFor([process.argv[1] + "/source"], process.argv[1] + "/target", { mode: "move" }));
    console.log(JSON.stringify({ totalFiles, processedFiles, failedFiles, reasons: files.flatMap(({ reason }) => reason ?? []) }));`;
  const file = join(root, "run.test.ts");
  writeTree(root, { "run.test.ts": script.replaceAll("process.argv[1]", JSON.stringify(root)) });
  const privileges =
    process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const { stdout, stderr } = Bun.spawnSync([...privileges, process.execPath, "test", file], { cwd: root });
  const line = `${stdout}${stderr}`.split("\n").find((text) => text.startsWith("{")) ?? `${stderr}`;
  const reasons = process.getuid?.() === 0 ? 2 : 1;
  expect(JSON.parse(line)).toMatchObject({ processedFiles: 4 - 1 - reasons, failedFiles: reasons });
  expect(line).toContain("Permission denied");
  expect(existsSync(join(root, "source/open"))).toBe(true);
  expect(readFileSync(join(root, "target/open"), "utf8")).toBe("1");
});

test("a source inside another, or named twice, is collected once", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "a/in/x": "1", "a/y": "2" });
  const sources = ["a", "a/in", "a", "a/y"].map((name) => join(root, name));
  const result = await collect(optionsFor(sources, join(root, "target"), { mode: "move_remove" }));
  expect(result).toMatchObject({ totalFiles: 2, processedFiles: 2, failedFiles: 0 });
  expect(result.warnings).toHaveLength(3);
  expect(readFileSync(join(root, "target/a/in/x"), "utf8")).toBe("1");
});

test("a file that is its own target stays, in every mode", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "target/a/x": "the only copy", "other/y": "2" });
  for (const mode of ["copy", "move", "move_remove"] as const) {
    await collect(
      optionsFor(
        ["target/a", "other"].map((name) => join(root, name)),
        join(root, "target"),
        { mode },
      ),
    );
    expect(readFileSync(join(root, "target/a/x"), "utf8")).toBe("the only copy");
  }
});

test("a hard link of the source in the target is no copy: the source stays", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/x": "one inode", "target/": "" });
  linkSync(join(root, "source/x"), join(root, "target/x"));
  const result = await collect(
    optionsFor([join(root, "source")], join(root, "target"), { mode: "move_remove" }),
  );
  expect(recordOf(result.files, "x")).toMatchObject({
    status: "present",
    note: "the target is the source itself",
  });
  expect(existsSync(join(root, "source/x"))).toBe(true);
});

test("cancelled: the reason comes back, nothing temporary stays, no descriptor stays open", async () => {
  const root = temporaryDirectory();
  const files = Array.from({ length: 3000 }, (_, index) => [`source/f${index}`, Buffer.alloc(8192, index)]);
  writeTree(root, Object.fromEntries(files));
  writeTree(root, { "source/large": Buffer.alloc(256 << 20, 1) });
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  const controller = new AbortController();
  const options = optionsFor([join(root, "source")], join(root, "target"), { mode: "move" });
  const onProgress = () => controller.abort("cancelled");
  const collecting = collectFiles(options, { signal: controller.signal, onProgress });
  expect(await collecting.catch((reason: unknown) => reason)).toBe("cancelled");
  await abandon(options);
  expect(descriptors()).toBeLessThanOrEqual(before + 8);
  expect(readdirSync(join(root, "target")).filter((name) => name.startsWith("."))).toEqual([]);
  expect(readdirSync(join(root, "source"))).toHaveLength(3001);
  for (const name of readdirSync(join(root, "target"))) {
    runs("cmp", join(root, "source", name), join(root, "target", name));
  }
});
