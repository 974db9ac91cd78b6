/** The compiled program, as its user has it: one file in an empty directory, no Bun, no node_modules. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import manifest from "../package.json";
import { needs } from "./needs.ts";
import { collectTree, followJob, waitForResult } from "./support/collector.ts";
import { runToEnd, type ServerProcess, startProcess } from "./support/process.ts";
import { temporaryDirectory } from "./support/server.ts";

const root = join(import.meta.dir, "..");
let directory: string;
let program: string;
let server: ServerProcess;

beforeAll(async () => {
  directory = temporaryDirectory("executable");
  program = join(directory, "quintet");
  await $`${process.execPath} scripts/build.ts --level 3 --outfile ${program}`.cwd(root).quiet();
  server = await startProcess(join(directory, "data"), { command: [program], cwd: directory });
}, 240_000);

afterAll(async () => {
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});

test("it tells package.json's version and the commit", async () => {
  const { status, stdout } = await runToEnd(["version"], { command: [program], cwd: directory });
  expect(status).toBe(0);
  expect(stdout.trim()).toMatch(
    new RegExp(`^quintet ${manifest.version.replaceAll(".", "\\.")} \\([0-9a-f]{12}(-modified)?|unknown\\)$`),
  );
});

needs("unzip")("it collects, archives and tells the machine", async () => {
  const source = join(directory, "log");
  mkdirSync(source);
  writeFileSync(join(source, "app.log"), "one\n");
  writeFileSync(join(source, "large.log"), "a line of a log\n".repeat(500_000));
  const target = join(directory, "target");
  const { job_id } = await collectTree(server.url, {
    source_paths: [source],
    target_path: target,
    create_archive: true,
  });
  const { frames, code } = await followJob(server.url, job_id);
  expect(code).toBe(1000);
  expect(frames.at(-1)).toMatchObject({ status: "completed", percentage: 100 });
  expect(await waitForResult(server.url, job_id)).toMatchObject({
    results: { processed_files: 2, warnings: [] },
  });
  await $`unzip -tq ${join(target, "archive.zip")}`.quiet();
  expect(JSON.parse(readFileSync(join(target, "pc_info.json"), "utf8"))).toMatchObject({ warnings: [] });
});

const readers: Record<string, (archive: string) => Promise<string>> = {
  "archive.zip": (archive) => $`unzip -p ${archive} app.log`.text(),
  "archive.tar.gz": (archive) => $`tar xzOf ${archive} app.log`.text(),
  "archive.tar.bz2": (archive) => $`tar xjOf ${archive} app.log`.text(),
  "archive.tar.xz": (archive) => $`tar xJOf ${archive} app.log`.text(),
  "archive.7z": (archive) => $`7zz x -so ${archive} app.log`.quiet().text(),
};

needs(
  "unzip",
  "tar",
  "bzip2",
  "xz",
  "7zz",
)("it writes every archive on a machine that has no program for it", async () => {
  const source = join(directory, "formats");
  mkdirSync(source);
  const text = "a line of a log\n".repeat(300_000);
  writeFileSync(join(source, "app.log"), text);
  for (const [name, read] of Object.entries(readers)) {
    const target = join(directory, `target-${name}`);
    const [, format = "", compression = ""] = name.split(".");
    const packed = { gz: "gzip", bz2: "bzip2", xz: "xz" }[compression] ?? "none";
    const { status, stderr } = await runToEnd(
      [
        ...["collect", "--source-paths", source, "--target-path", target, "--no-collect-system-info"],
        ...["--archive-only", "--archive-format", format],
        ...(packed === "none" ? [] : ["--archive-compression", packed]),
      ],
      { command: [program], cwd: directory, env: { PATH: "/nonexistent" } },
    );
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
    expect(readdirSync(target).toSorted()).toEqual([name, "manifest.json"]);
    expect(await read(join(target, name))).toBe(text);
  }
});

test("its documentation is inside", async () => {
  for (const path of [
    "/docs",
    "/redoc",
    "/openapi.json",
    "/docs/assets/swagger-ui-bundle.js",
    "/docs/assets/redoc.standalone.js",
  ])
    expect((await fetch(`${server.url}${path}`)).status).toBe(200);
});

test("it collects from the command line without a server, and its exit status tells", async () => {
  const target = join(directory, "collected");
  const run = (...args: string[]) => runToEnd(["collect", ...args], { command: [program], cwd: directory });
  const good = await run("--source-paths", "/etc/hosts", "--target-path", target, "--no-collect-system-info");
  expect(good).toMatchObject({ status: 0, stderr: "" });
  expect(good.stdout).toContain(`Total files: 1\nProcessed files: 1\nFailed files: 0\nTarget: ${target}`);
  expect(readdirSync(target).toSorted()).toEqual(["hosts", "manifest.json"]);
  const dry = await run("--source-paths", "/etc/hosts", "--target-path", join(directory, "dry"), "--dry-run");
  expect(dry.stdout).toContain("/etc/hosts\nTotal files: 1\n");
  expect(readdirSync(directory)).not.toContain("dry");
  const bad = await run("--source-paths", "/nonexistent/path", "--target-path", target);
  expect(bad).toMatchObject({ status: 1, stderr: "Error: Source path does not exist: /nonexistent/path\n" });
});

(process.getuid?.() === 0 ? test : test.skip)("it runs as an ordinary user", async () => {
  const home = temporaryDirectory("user");
  chmodSync(home, 0o777);
  copyFileSync(program, join(home, "quintet"));
  chmodSync(join(home, "quintet"), 0o755);
  const command = [
    "setpriv",
    "--reuid",
    "65534",
    "--regid",
    "65534",
    "--clear-groups",
    join(home, "quintet"),
  ];
  const other = await startProcess(join(home, "data"), { command, cwd: home });
  expect((await fetch(`${other.url}/health`)).status).toBe(200);
  other.kill("SIGTERM");
  expect(await other.exited).toBe(0);
});
