import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { collect, optionsFor, recordOf, snapshot, temporaryDirectory, writeTree } from "./support.ts";

function places(): { source: string; target: string } {
  const root = temporaryDirectory();
  const source = join(root, "source");
  mkdirSync(source);
  return { source, target: join(root, "target") };
}

describe("copying a tree", () => {
  test("keeps content, modes, times, symlinks, empty directories and hostile names", async () => {
    const { source, target } = places();
    writeTree(source, {
      "a.log": "alpha",
      "deep/er/b.log": "beta".repeat(1000),
      "empty/": "",
      "deep/новый файл\n'\".txt": "юникод",
      "-rf": "dash",
      zero: "",
    });
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x62, 0xff, 0xfe])]), "not UTF-8");
    chmodSync(join(source, "a.log"), 0o640);
    chmodSync(join(source, "deep/er"), 0o750);
    chmodSync(join(source, "zero"), 0o4755);
    utimesSync(join(source, "a.log"), 1_000_000_000.123, 1_100_000_000.456);
    symlinkSync("a.log", join(source, "link"));
    symlinkSync("/nonexistent/\u{1F600}", join(source, "dangling"));
    utimesSync(join(source, "deep"), 5, 1_200_000_000);

    const result = await collect(optionsFor([source], target));

    expect(snapshot(target)).toEqual(snapshot(source));
    expect(result).toMatchObject({ totalFiles: 8, processedFiles: 8, failedFiles: 0, skippedFiles: 0 });
    const record = recordOf(result.files, "a.log");
    expect(record).toMatchObject({ status: "copied", size: 5, mode: 0o640, type: "file" });
    expect(record?.sha256).toBe(new Bun.CryptoHasher("sha256").update("alpha").digest("hex"));
    expect(result.files.some(({ target }) => target.equals(Buffer.from([0x62, 0xff, 0xfe])))).toBe(true);
  });

  test("several sources keep their base names, numbered where equal; single files go by theirs", async () => {
    const { source, target } = places();
    writeTree(source, { "x/logs/one": "1", "y/logs/two": "2", "z/logs": "a file" });
    await collect(
      optionsFor(
        ["x/logs", "y/logs/", "z/logs"].map((name) => join(source, name)),
        target,
      ),
    );
    expect(readFileSync(join(target, "logs/one"), "utf8")).toBe("1");
    expect(readFileSync(join(target, "logs-2/two"), "utf8")).toBe("2");
    expect(readFileSync(join(target, "logs-3"), "utf8")).toBe("a file");
  });

  test("never overwrites: another file gets a number and a note, the same one is present", async () => {
    const { source, target } = places();
    writeTree(source, { "report.tar.gz": "new", same: "same", ".hidden": "new", "d/x": "in a directory" });
    writeTree(target, { "report.tar.gz": "old", same: "same", ".hidden": "old", d: "a file in the way" });
    const { files } = await collect(optionsFor([source], target));
    expect(readFileSync(join(target, "report.tar.gz"), "utf8")).toBe("old");
    expect(readFileSync(join(target, "report-2.tar.gz"), "utf8")).toBe("new");
    expect(readFileSync(join(target, ".hidden-2"), "utf8")).toBe("new");
    expect(readFileSync(join(target, "d-2/x"), "utf8")).toBe("in a directory");
    expect(recordOf(files, "report-2.tar.gz")?.note).toContain("numbered");
    expect(recordOf(files, "same")).toMatchObject({ status: "present", size: 4 });
    expect(existsSync(join(target, "same-2"))).toBe(false);
    expect((await collect(optionsFor([source], target, { jobId: "again" }))).files).toContainEqual(
      expect.objectContaining({ status: "present", target: Buffer.from("report-2.tar.gz") }),
    );
  });
});

describe("choosing files", () => {
  async function chosen(more: Parameters<typeof optionsFor>[2]): Promise<string[]> {
    const { source, target } = places();
    writeTree(source, {
      "a.log": "1",
      "b.txt": "22",
      "sub/c.log": "333",
      "node_modules/d.log": "4444",
      "empty/": "",
    });
    utimesSync(join(source, "a.log"), 1000, 1000);
    const { files } = await collect(optionsFor([source], target, more));
    const collected = files.filter(({ type }) => type === "file").map((file) => file.target.toString());
    if (more?.patterns?.length) expect(existsSync(join(target, "empty"))).toBe(false);
    return collected.sort();
  }
  const glob = (pattern: string) => ({ pattern, type: "glob" as const });
  const regex = (pattern: string) => ({ pattern, type: "regex" as const });

  test("globs by base name, or by path when they hold a slash", async () => {
    expect(await chosen({ patterns: [glob("*.log")] })).toEqual(["a.log", "node_modules/d.log", "sub/c.log"]);
    expect(await chosen({ patterns: [glob("sub/*.log")] })).toEqual(["sub/c.log"]);
    expect(await chosen({ patterns: [glob("**/*.log")] })).toEqual([
      "a.log",
      "node_modules/d.log",
      "sub/c.log",
    ]);
  });

  test("regular expressions are searched in the absolute path", async () => {
    expect(await chosen({ patterns: [regex(".*\\.txt$"), regex("sub/c")] })).toEqual(["b.txt", "sub/c.log"]);
  });

  test("exclude leaves out files, and directories with all below them", async () => {
    expect(await chosen({ exclude: [glob("node_modules"), regex("b\\.txt$")] })).toEqual([
      "a.log",
      "sub/c.log",
    ]);
  });

  test("sizes and times", async () => {
    expect(await chosen({ minSize: 2, maxSize: 3 })).toEqual(["b.txt", "sub/c.log"]);
    expect(await chosen({ modifiedBefore: new Date(1_000_001) })).toEqual(["a.log"]);
    expect(await chosen({ modifiedSince: new Date(1_000_001) })).toHaveLength(3);
  });
});
