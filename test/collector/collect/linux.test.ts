import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { openBeneath } from "../../../src/platform/linux/beneath.ts";
import { closeQuietly, openPath } from "../../../src/platform/linux/descriptors.ts";
import { SystemError } from "../../../src/platform/linux/errors.ts";
import { flockExclusive } from "../../../src/platform/linux/lock.ts";
import { openFlag } from "../../../src/platform/linux/numbers.ts";
import { fileSystemFree } from "../../../src/platform/linux/space.ts";
import { placeFile } from "../../../src/services/collector/collect/place.ts";
import { temporaryDirectory, writeTree } from "./support.ts";

setDefaultTimeout(120_000);

test("error numbers are right in several threads under load", async () => {
  const counts = await Promise.all(
    Array.from({ length: 3 }, () => {
      const worker = new Worker(new URL("./linux.worker.ts", import.meta.url).href);
      const answer = Promise.withResolvers<number>();
      worker.onmessage = ({ data }: MessageEvent<number>) => answer.resolve(data);
      worker.onerror = ({ message }) => answer.reject(new Error(message));
      worker.postMessage(100_000);
      return answer.promise.finally(() => worker.terminate());
    }),
  );
  expect(counts).toEqual([0, 0, 0]);
});

for (const kernelResolves of [true, false]) {
  const way = kernelResolves ? "openat2" : "name by name";
  test(`nothing is opened through a symlink or above its directory, ${way}`, () => {
    const root = temporaryDirectory();
    writeTree(root, { "in/a/b/file": "1", "out/b/file": "2" });
    symlinkSync(join(root, "out"), join(root, "in/link"));
    symlinkSync("a", join(root, "in/inner"));
    const directory = openPath(join(root, "in"), openFlag.directory);
    const open = (path: string) =>
      openBeneath(directory, Buffer.from(path), openFlag.readOnly, kernelResolves);
    closeQuietly(open("a/b/file"));
    closeQuietly(open(""));
    for (const path of [
      "link/b/file",
      "inner/b/file",
      "link",
      "../out/b/file",
      "/etc/passwd",
      "a/../../out",
    ]) {
      expect(() => open(path)).toThrow();
    }
    const before = readdirSync("/proc/self/fd").length;
    expect(() => open("a/b/nothing")).toThrow(new SystemError(2, "openat2"));
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
    closeQuietly(directory);
  });
}

test("a lock is held once, and free again when released", () => {
  const path = join(temporaryDirectory(), "lock");
  const lock = flockExclusive(path);
  expect(lock).not.toBeNull();
  expect(flockExclusive(path)).toBeNull();
  lock?.release();
  const again = flockExclusive(path);
  expect(again).not.toBeNull();
  again?.release();
  expect(() => flockExclusive(join(path, "below"))).toThrow("Not a directory");
});

test("free space is told in bytes", async () => {
  expect(await fileSystemFree("/")).toBeGreaterThan(1_000_000);
});

test("a placed file never replaces another", () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "work"));
  const names = ["archive.tar.gz", "archive-2.tar.gz", "archive-3.tar.gz"].map((name) => {
    writeTree(root, { "work/part": name });
    return placeFile(join(root, "work/part"), root, "archive.tar.gz").slice(root.length + 1);
  });
  expect(names).toEqual(["archive.tar.gz", "archive-2.tar.gz", "archive-3.tar.gz"]);
});
