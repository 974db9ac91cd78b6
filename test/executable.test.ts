/** The compiled program, as its user has it: one file in an empty directory, no Bun, no node_modules. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import manifest from "../package.json";
import { needs } from "./needs.ts";
import { ask, logIn, register, statusOfMe } from "./support/accounts.ts";
import { collectTree, followJob, waitForResult } from "./support/collector.ts";
import { loadDag, python, renderCommand } from "./support/dag-stubs.ts";
import { findLogs, makeProject, sendLog } from "./support/logger.ts";
import { join as joinMessenger } from "./support/messenger.ts";
import { runCollection } from "./support/newman.ts";
import { fileRoot, pipelinesClient } from "./support/pipelines.ts";
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

test("it knows who its users are", async () => {
  const token = await register(server.url, "первый");
  expect((await ask(server.url, "GET", "/api/v1/users/me", { token })).body).toMatchObject({
    id: "user_1",
    username: "первый",
    role: "admin",
  });
  const { body } = await logIn(server.url, "Первый");
  expect((await ask(server.url, "POST", "/api/v1/auth/logout", { token: body.access_token })).status).toBe(
    204,
  );
  expect(await statusOfMe(server.url, body.access_token)).toBe(401);
});

test("it takes logs in and finds them", async () => {
  const other = await startProcess(join(directory, "logs"), { command: [program], cwd: directory });
  await register(other.url, "admin");
  const { body } = await ask(other.url, "POST", "/api/auth/login", {
    body: { username: "admin", password: "password" },
  });
  const { token } = body;
  const uuid = await makeProject(other.url, token, { name: "Касса" });
  await sendLog(other.url, uuid, { level: "ERROR", message: "Ошибка оплаты", tags: ["PAYMENT"] });
  const lines = Array.from({ length: 1000 }, (_, n) => `{"level": "INFO", "message": "Заказ ${n} оплачен"}`);
  const batch = await fetch(`${other.url}/api/logs/batch?uuid=${uuid}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" },
    body: Bun.gzipSync(lines.join("\n")),
  });
  expect(await batch.json()).toMatchObject({ accepted: 1000, refused: 0 });
  const find = async (query: Record<string, string>) =>
    (await findLogs(other.url, token, uuid, String(new URLSearchParams(query)))).map(
      ({ message }) => message,
    );
  expect(await find({ tag: "PAYMENT" })).toEqual(["Ошибка оплаты"]);
  expect(await find({ text: "ЗАКАЗ 777" })).toEqual(["Заказ 777 оплачен"]);
  expect(await find({ text: "опла" })).toHaveLength(1001);
  other.kill("SIGTERM");
  expect(await other.exited).toBe(0);
});

test("the Messenger's Postman collection runs green", async () => {
  const data = join(directory, "messenger");
  const messenger = await startProcess(data, { command: [program], cwd: directory });
  try {
    await joinMessenger(messenger.url, "first");
    const { answers, failures } = await runCollection(messenger.url);
    expect(failures).toEqual([]);
    expect(Object.values(answers).every((code) => typeof code === "number" && code < 300)).toBe(true);
  } finally {
    messenger.kill("SIGTERM");
    expect(await messenger.exited).toBe(0);
  }
});

needs(python)("a pipeline's DAG file calls it by its own path, and it runs the pipeline", async () => {
  const dags = join(directory, "dags");
  const env = { AIRFLOW_DAGS_DIR: dags, PIPELINES_FILE_ROOTS: fileRoot() };
  const other = await startProcess(join(directory, "pipelines"), { command: [program], cwd: directory, env });
  const client = await pipelinesClient(() => other.url);
  const id = await client.deploy();
  const [task] = loadDag(join(dags, `ai_etl_${id}_v1.py`), 3).tasks;
  const command = renderCommand(task?.bash_command ?? "", { id: "manual__1" });
  expect(command).toStartWith(`exec '${program}' pipelines run 1 --version 1 --run-id 'manual__1'`);
  const reach = { QUINTET_URL: other.url, QUINTET_TOKEN: client.token };
  const run = await runToEnd([command], { command: ["bash", "-c"], cwd: directory, env: reach });
  expect(run).toMatchObject({ status: 0, stderr: `quintet: run_1 of ${id}\n` });
  expect(run.stdout).toContain("3 rows staged");
  other.kill("SIGTERM");
  expect(await other.exited).toBe(0);
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

test("interrupted with Ctrl-C it says so, cleans up and leaves the sources; without a terminal it tells its progress in lines", async () => {
  const source = join(directory, "interrupted");
  mkdirSync(source);
  const noise = Buffer.alloc(64 << 20, crypto.randomUUID());
  for (let n = 0; n < 6; n++) writeFileSync(join(source, `${n}.bin`), noise);
  const target = join(directory, "interrupted-target");
  const child = Bun.spawn(
    [
      ...[program, "collect", "--source-paths", source, "--target-path", target],
      ...["--operation-mode", "move", "--create-archive", "--archive-format", "tar"],
      ...["--archive-compression", "bzip2", "--no-collect-system-info"],
    ],
    { cwd: directory, stdout: "pipe", stderr: "pipe", env: { PATH: "" } },
  );
  const lines: string[] = [];
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    lines.push(chunk);
    child.kill("SIGINT");
  }
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toBe("Error: interrupted\n");
  expect(lines[0]).toMatch(/^\d+\/\d+ .*\.bin\n/);
  expect(readdirSync(source)).toHaveLength(6);
  for (const name of readdirSync(target)) expect(name).toMatch(/^\d\.bin$/);
});

test("an archive of gigabytes and of many files takes less than 400 MB of memory", async () => {
  const source = join(directory, "memory");
  mkdirSync(source);
  writeFileSync(join(source, "sparse.bin"), "");
  truncateSync(join(source, "sparse.bin"), 2 ** 30);
  for (let n = 0; n < 30_000; n++) writeFileSync(join(source, `a rather long name of a file ${n}.log`), "x");
  const idle = Bun.spawn([program, "version"], { stdout: "ignore" });
  await idle.exited;
  for (const format of ["zip", "tar"]) {
    const child = Bun.spawn(
      [
        ...[
          program,
          "collect",
          "--source-paths",
          source,
          "--target-path",
          join(directory, `memory-${format}`),
        ],
        ...["--archive-only", "--archive-format", format, "--no-collect-system-info"],
        ...(format === "tar" ? ["--archive-compression", "xz"] : []),
      ],
      { cwd: directory, stdout: "ignore", stderr: "inherit" },
    );
    expect(await child.exited).toBe(0);
    const aboveIdle = child.resourceUsage()!.maxRSS - idle.resourceUsage()!.maxRSS;
    expect(aboveIdle / 1e6).toBeLessThan(400);
  }
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
