/** The server is killed with SIGKILL at 32 random moments, in every mode and every archive format; the trees are compared byte for byte. */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { needs } from "../needs.ts";
import { collectTree, waitForResult } from "../support/collector.ts";
import { startProcess } from "../support/process.ts";
import { freshDataDirectory, temporaryDirectory } from "../support/server.ts";
import { snapshot } from "./collect/support.ts";

const modes = ["copy", "move", "move_remove"] as const;

/** Each round is one job of every mode. A job is given up when it was interrupted five times. */
const killsPerRound = 4;

const rounds: {
  request: object;
  archive: string;
  extract: (archive: string, to: string) => Promise<unknown>;
}[] = [
  {
    request: { archive_format: "zip" },
    archive: "archive.zip",
    extract: (a, to) => $`unzip -q ${a} -d ${to}`.quiet(),
  },
  {
    request: { archive_format: "tar" },
    archive: "archive.tar",
    extract: (a, to) => $`tar xf ${a} -C ${to}`.quiet(),
  },
  ...(["gzip", "bzip2", "xz"] as const).map((archive_compression) => {
    const archive = `archive.tar.${{ gzip: "gz", bzip2: "bz2", xz: "xz" }[archive_compression]}`;
    return {
      request: { archive_format: "tar", archive_compression },
      archive,
      extract: (a: string, to: string) => $`tar xf ${a} -C ${to}`.quiet(),
    };
  }),
  {
    request: { archive_format: "7z" },
    archive: "archive.7z",
    extract: (a, to) => $`7zz x -snl -o${to} ${a}`.quiet(),
  },
  {
    request: { archive_format: "zip", archive_only: true },
    archive: "archive.zip",
    extract: (a, to) => $`unzip -q ${a} -d ${to}`.quiet(),
  },
  {
    request: { archive_format: "tar", archive_compression: "gzip", archive_only: true },
    archive: "archive.tar.gz",
    extract: (a, to) => $`tar xf ${a} -C ${to}`.quiet(),
  },
];

function makeSource(directory: string): void {
  for (let folder = 0; folder < 12; folder++) {
    mkdirSync(join(directory, `d${folder}`), { recursive: true });
    for (let n = 0; n < 60; n++)
      writeFileSync(join(directory, `d${folder}/${n}.log`), `${folder} ${n}\n`.repeat(1 + n * 30));
  }
  writeFileSync(join(directory, "large.log"), "a line of a large log\n".repeat(700_000));
  symlinkSync("large.log", join(directory, "link"));
}

/** Name and content of every file and link: what each format keeps. */
const contents = (directory: string): string[] =>
  snapshot(directory)
    .filter((line) => !/^\S+ 4\d{4} /.test(line))
    .map((line) => {
      const [name = "", ...rest] = line.split(" ");
      return `${name} ${rest.at(-1)}`;
    });

needs(
  "unzip",
  "tar",
  "bzip2",
  "xz",
  "7zz",
)(
  "killed at random moments, every mode and format ends as if nothing had happened",
  async () => {
    const data = await freshDataDirectory();
    for (const { request, archive, extract } of rounds) {
      const directory = temporaryDirectory("kills");
      const jobs = modes.map((mode) => ({
        mode,
        source: join(directory, mode, "source"),
        target: join(directory, mode, "target"),
      }));
      for (const { source } of jobs) makeSource(source);
      const snapshots = jobs.map(({ source }) => snapshot(source));
      const original = contents(jobs[0]!.source);
      const ids: string[] = [];
      for (let kill = 0; kill < killsPerRound; kill++) {
        const server = await startProcess(data, { env: { COLLECTOR_CONCURRENCY: "3" } });
        if (ids.length === 0)
          for (const { mode, source, target } of jobs) {
            const rest = { create_archive: true, collect_system_info: false, ...request };
            const started = await collectTree(server.url, {
              source_paths: [source],
              target_path: target,
              operation_mode: mode,
              ...rest,
            });
            ids.push(started.job_id);
          }
        await Bun.sleep(Math.random() * 500);
        server.kill("SIGKILL");
        await server.exited;
      }
      const last = await startProcess(data, { env: { COLLECTOR_CONCURRENCY: "3" } });
      for (const [index, { mode, source, target }] of jobs.entries()) {
        const before = snapshots[index]!;
        const where = `${mode} ${JSON.stringify(request)}`;
        const { status, results } = await waitForResult(last.url, ids[index]!);
        expect({ where, status, results }).toMatchObject({
          where,
          status: "completed",
          results: { processed_files: 722, failed_files: 0, archive_created: true },
        });
        const alone = "archive_only" in request;
        const made = [archive, "manifest.json"];
        const collected = snapshot(target).filter((line) => !made.includes(line.split(" ")[0] ?? ""));
        expect({ where, collected }).toEqual({ where, collected: alone ? [] : before });
        const unpacked = join(directory, mode, "unpacked");
        mkdirSync(unpacked);
        await extract(join(target, archive), unpacked);
        expect({ where, contents: contents(unpacked) }).toEqual({ where, contents: original });
        if (mode === "copy") expect(snapshot(source)).toEqual(before);
        else if (mode === "move" || alone) expect(contents(source)).toEqual([]);
        else expect(readdirSync(source)).toEqual([]);
      }
      last.kill("SIGTERM");
      await last.exited;
    }
  },
  300_000,
);
