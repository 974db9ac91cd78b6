/** What a transformation costs, and what happens where there is not enough. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { openDatabase } from "../../../src/services/pipelines/run/duckdb/database.ts";
import { transform } from "../../../src/services/pipelines/run/duckdb/transform.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { rawStream, textOf } from "./rows.ts";

const million = 1_000_000;

test("a million rows through a transformation take at most 300 MB more than nothing does", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "million.child.ts"), String(million)], {
    cwd: temporaryDirectory("million"),
    stdout: "pipe",
    stderr: "inherit",
  });
  const figures = JSON.parse(await new Response(child.stdout).text()) as Record<string, number>;
  console.log(JSON.stringify(figures));
  expect(figures.rows).toBe(million);
  expect((figures.peak ?? Infinity) - (figures.idle ?? 0)).toBeLessThan(300);
});

const isRoot = process.getuid?.() === 0;

(isRoot ? test : test.skip)("a full disk under the run's directory is told as that", async () => {
  const directory = join(temporaryDirectory("full"), "run");
  mkdirSync(directory);
  if ((await $`mount -t tmpfs -o size=5m tmpfs ${directory}`.quiet().nothrow()).exitCode !== 0) {
    console.warn("skipping a test: this root may not mount");
    return;
  }
  try {
    const open = () =>
      openDatabase({ dataDirectory: directory, directory, memoryLimit: 100e6 }, new AbortController().signal);
    const text = { t: { kind: "text" } } as const;
    const large = Buffer.from(`${"x".repeat(99)}\n`.repeat(200_000));
    const sort = "SELECT repeat('x', 500) AS t FROM range(1000000) r(i) ORDER BY hash(i)";
    for (const [rows, sql] of [
      [large, "SELECT * FROM input"],
      [Buffer.from(""), sort],
    ] as const) {
      const database = await open();
      const error: unknown = await transform(database, rawStream(text, rows, 1 << 20), sql)
        .then(textOf)
        .catch((thrown: unknown) => thrown);
      database.close();
      expect(error).toMatchObject({ name: "DuckDbError", code: "resources" });
      expect(String(error)).toMatch(/no space left on device|failed to offload/i);
    }
  } finally {
    await $`umount ${directory}`.quiet();
  }
});
