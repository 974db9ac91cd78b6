import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";
import { writeArchive } from "../../../src/services/collector/archive/archive.ts";
import { needs } from "../../needs.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { entryOf, groups, noise, quiet } from "./entries.ts";

needs("7zz")(
  "files of two places, with their names, links and empty directories, and nothing else",
  async () => {
    const tree = temporaryDirectory("seven");
    const files: Record<string, string> = {
      "app.log": "one",
      "deep/er/журнал.log": "two",
      "-rf": "dash",
      "*.log": "star",
      "@list": "at",
      "sp ace": "space",
    };
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(tree, dirname(name)), { recursive: true });
      writeFileSync(join(tree, name), content);
    }
    writeFileSync(join(tree, "deep/not collected"), "mine");
    mkdirSync(join(tree, "empty"));
    symlinkSync("app.log", join(tree, "link"));
    writeFileSync(join(tree, "new\nline"), "x");
    const other = temporaryDirectory("seven");
    writeFileSync(join(other, "pc_info.json"), "{}");
    const entries = [
      ...Object.keys(files).map((name) => entryOf(join(tree, name), name)),
      entryOf(join(tree, "deep"), "deep", { type: "directory" }),
      entryOf(join(tree, "empty"), "empty", { type: "directory" }),
      entryOf(join(tree, "link"), "link", { type: "symlink" }),
      entryOf(join(tree, "new\nline"), "new\nline"),
      entryOf(join(tree, "gone"), "gone"),
      entryOf(join(other, "pc_info.json"), "pc_info.json"),
    ];
    const archive = join(temporaryDirectory("seven"), "archive.7z");
    const { warnings } = await writeArchive("7z", groups(entries), archive, quiet);
    expect(warnings).toEqual([expect.stringContaining("new\nline"), expect.stringContaining("gone")]);
    await $`7zz t ${archive}`.quiet();
    const out = temporaryDirectory("seven");
    await $`7zz x -snl -o${out} ${archive}`.quiet();
    for (const [name, content] of Object.entries(files))
      expect(readFileSync(join(out, name), "utf8")).toBe(content);
    expect(readlinkSync(join(out, "link"))).toBe("app.log");
    expect(readdirSync(join(out, "empty"))).toEqual([]);
    expect(existsSync(join(out, "pc_info.json"))).toBe(true);
    expect(existsSync(join(out, "deep/not collected"))).toBe(false);
    expect(readdirSync(dirname(archive))).toEqual(["archive.7z"]);
  },
);

needs("7zz")("aborted in the middle nothing is left", async () => {
  const tree = temporaryDirectory("seven");
  writeFileSync(join(tree, "big"), noise(200_000_000));
  const archive = join(temporaryDirectory("seven"), "archive.7z");
  const controller = new AbortController();
  const run = { ...quiet, signal: controller.signal };
  const writing = writeArchive("7z", groups([entryOf(join(tree, "big"), "big")]), archive, run);
  setTimeout(() => controller.abort(), 300);
  expect(writing).rejects.toThrow();
  await writing.catch(() => {});
  expect(readdirSync(dirname(archive))).toEqual([]);
});
