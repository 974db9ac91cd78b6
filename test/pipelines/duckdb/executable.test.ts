/** DuckDB inside a compiled program, as the build makes it: one file in an empty directory, no node_modules. */
import { beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { temporaryDirectory } from "../../support/server.ts";

const root = join(import.meta.dir, "../../..");
let directory: string;
let program: string;

beforeAll(async () => {
  directory = temporaryDirectory("duckdb-executable");
  program = join(directory, "duckdb");
  const entry = join(import.meta.dir, "duckdb.child.ts");
  await $`${process.execPath} scripts/build.ts --level 3 --entry ${entry} --outfile ${program}`
    .cwd(root)
    .quiet();
}, 240_000);

/** Runs it in a directory of its own. */
async function run(dataDirectory: string): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([program, dataDirectory], {
    cwd: directory,
    env: { PATH: "" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, stdout, stderr };
}

test("the first use unpacks it, the next ones find it, and a damaged copy is replaced", async () => {
  const data = join(directory, "data");
  const unpacked = () => {
    const [name = ""] = readdirSync(join(data, "runtime")).filter((entry) => !entry.includes("."));
    return join(data, "runtime", name, "duckdb");
  };
  for (const use of ["first", "second", "damaged"]) {
    if (use === "damaged") rmSync(join(unpacked(), "libduckdb.so"));
    const { stdout, stderr, status } = await run(data);
    expect({ use, status, stderr, stdout: stdout.split("\n")[0] }).toEqual({
      use,
      status: 0,
      stderr: "",
      stdout: "2\tдва\\n",
    });
    expect(readdirSync(unpacked()).toSorted()).toEqual(["duckdb.node", "libduckdb.so"]);
  }
});

test("where it cannot be unpacked it says why", async () => {
  const data = join(directory, "file");
  writeFileSync(data, "");
  const { status, stderr } = await run(data);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^DuckDbUnavailable: DuckDB cannot be loaded: .*(not a directory|ENOTDIR)/i,
    ),
  });
});

const isRoot = process.getuid?.() === 0;

(isRoot ? test : test.skip)("on a full disk, and on one that forbids programs, it says so", async () => {
  for (const [options, words] of [
    ["size=5m", "No space left on device"],
    ["size=200m,noexec", "failed to map segment"],
  ]) {
    const data = join(directory, `mount-${words?.slice(0, 2)}`);
    mkdirSync(data);
    chmodSync(data, 0o700);
    if ((await $`mount -t tmpfs -o ${options} tmpfs ${data}`.quiet().nothrow()).exitCode !== 0) {
      console.warn("skipping a part of a test: this root may not mount");
      return;
    }
    try {
      const { status, stderr } = await run(data);
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(words ?? "") });
      expect(stderr).toStartWith("DuckDbUnavailable: DuckDB cannot be loaded: ");
    } finally {
      await $`umount ${data}`.quiet();
    }
  }
  expect(existsSync(program)).toBe(true);
});
