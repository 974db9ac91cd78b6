import { expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { checkSources } from "../../../src/services/collector/collect/checks.ts";
import { checkSpace, listSources, surveySources } from "../../../src/services/collector/collect/survey.ts";
import { optionsFor, temporaryDirectory, writeTree } from "./support.ts";

const run = { signal: new AbortController().signal, deadlineMs: 60_000 };

test("a survey counts and lists, and writes nothing", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "source/d/b": "22" });
  const options = optionsFor([join(root, "source")], join(root, "target"));
  expect(await surveySources(options, run)).toMatchObject({ files: 2, bytes: 3, complete: true });
  const listed = await listSources(options, run);
  const files = (await Array.fromAsync(listed.list())).flat();
  await listed.close();
  expect(files).toContainEqual({ path: join(root, "source/d/b"), size: 2 });
  expect(files).toHaveLength(2);
  expect(existsSync(join(root, "target"))).toBe(false);
});

test("a survey out of time says so; a stopped one fails with the reason", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1" });
  const options = optionsFor([join(root, "source")], join(root, "target"));
  expect(await surveySources(options, { ...run, deadlineMs: -1 })).toMatchObject({ complete: false });
  const aborted = surveySources(options, { ...run, signal: AbortSignal.abort("stopped") });
  expect(await aborted.catch((reason: unknown) => reason)).toBe("stopped");
});

test("too little space is told for people", () => {
  expect(() => checkSpace({ requiredBytes: 5 * 2 ** 30, availableBytes: 1536 })).toThrow(
    "Insufficient disk space. Required: 5.0 GiB, Available: 1.5 KiB",
  );
});

test("what is wrong with paths and patterns is told before anything starts", async () => {
  const root = temporaryDirectory();
  writeTree(root, { "source/a": "1", "data/secret": "2", "fence/x": "3", file: "4" });
  symlinkSync(join(root, "data"), join(root, "fence/escape"));
  mkdirSync(join(root, "target"));
  const path = (name: string) => join(root, name);
  const refusal = async (source: string, target: string, more: Parameters<typeof optionsFor>[2] = {}) => {
    const options = optionsFor([source], target, { forbidden: [path("data")], ...more });
    return await checkSources(options).then(
      () => undefined,
      (error: Error) => error.message,
    );
  };
  expect(await refusal(path("source"), path("target/new/er"))).toBeUndefined();
  expect(await refusal("/nonexistent/path", path("target"))).toBe(
    "Source path does not exist: /nonexistent/path",
  );
  expect(await refusal("relative", path("target"))).toBe("Source path is not absolute: relative");
  expect(await refusal(path("source"), path("file"))).toBe(`Target path is not a directory: ${path("file")}`);
  expect(await refusal(path("source"), path("file/below"))).toContain("not a directory");
  expect(await refusal(path("data/secret"), path("target"))).toContain("not allowed");
  expect(await refusal(path("source"), path("data/new"))).toContain("not allowed");
  expect(await refusal(path("source"), path("source"))).toContain("is a source path");
  const allowedSources = [path("fence")];
  expect(await refusal(path("fence/x"), path("target"), { allowedSources })).toBeUndefined();
  expect(await refusal(path("source"), path("target"), { allowedSources })).toContain("not allowed");
  expect(await refusal(path("fence/escape"), path("target"), { allowedSources, forbidden: [] })).toContain(
    "not allowed",
  );
  const bad = { patterns: [{ pattern: "[a", type: "regex" as const }] };
  expect(await refusal(path("source"), path("target"), bad)).toMatch(
    /^Invalid regex pattern: '\[a'\. Error: /,
  );
});
