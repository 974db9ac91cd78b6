/** Whole collections over HTTP: hostile trees, many files, large files, resume, cancellation, fences. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { needs } from "../needs.ts";
import { collectTree, followJob, waitForResult } from "../support/collector.ts";
import { openEmbedded } from "../support/database.ts";
import { startProcess } from "../support/process.ts";
import {
  freshDataDirectory,
  startTestServer,
  type TestServer,
  temporaryDirectory,
} from "../support/server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ COLLECTOR_CONCURRENCY: "4" });
});

afterAll(() => server.stop());

async function collect(request: object) {
  const { job_id } = await collectTree(server.url, request);
  return await waitForResult(server.url, job_id);
}

interface ManifestFile {
  source: string;
  target: string;
  type: string;
  status: string;
  size: number;
  sha256: string | null;
  reason?: string;
  note?: string;
  source_base64?: string;
}

const manifestOf = (target: string): ManifestFile[] =>
  (JSON.parse(readFileSync(join(target, "manifest.json"), "utf8")) as { files: ManifestFile[] }).files;

/** Contents, modes, times, owners and links of a tree, as rsync compares them: an empty text when both are the same. */
const differences = async (one: string, other: string): Promise<string> => {
  const ours = ["--exclude=/pc_info.json", "--exclude=/manifest.json", "--exclude=/archive.zip"];
  const found = await $`rsync -aAXn --checksum --delete --itemize-changes ${ours} ${one}/ ${other}/`.text();
  // The target's own time changes as the manifest is put into it.
  return found.replace(/^\.d\.\.t\.* \.\/\n/m, "");
};

needs(
  "rsync",
  "python3",
  "unzip",
  "7zz",
)("a tree with hostile names and special files", async () => {
  const directory = temporaryDirectory("hostile");
  const source = join(directory, "source");
  const target = join(directory, "target");
  mkdirSync(join(source, "deep", "x".repeat(200), "y".repeat(200)), { recursive: true });
  mkdirSync(join(source, "empty"));
  const names = [
    "-rf",
    "new\nline",
    "журнал.log",
    "quote'\"$(id)`",
    "*?[a]",
    " ",
    "trailing ",
    "\u202egnp.exe",
    "a\tb",
    "%00",
  ];
  for (const name of names) writeFileSync(join(source, "deep", name), `content of ${name}`);
  writeFileSync(join(source, "deep", "x".repeat(200), "y".repeat(200), "z".repeat(250)), "deep");
  writeFileSync(
    Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x66, 0xfc, 0xff, 0x72])]),
    "not UTF-8",
  );
  writeFileSync(join(source, "private"), "mine");
  chmodSync(join(source, "private"), 0o4600);
  utimesSync(join(source, "private"), 1_000_000_000, 1_000_000_000.5);
  symlinkSync("deep/журнал.log", join(source, "link"));
  symlinkSync("/nowhere", join(source, "dangling"));
  symlinkSync("..", join(source, "deep", "loop"));
  await $`mkfifo ${join(source, "fifo")}`;

  const { status, results } = await collect({
    source_paths: [source],
    target_path: target,
    create_archive: true,
  });
  expect(status).toBe("completed");
  const expected = names.length + 6;
  expect(results).toMatchObject({
    total_files: expected,
    processed_files: expected,
    failed_files: 0,
    skipped_files: 1,
  });
  // rsync lists the FIFO, which is not collected, and nothing else.
  const changed = (await differences(source, target)).trim().split("\n");
  expect(changed).toEqual([expect.stringMatching(/^cS\S* fifo$/)]);

  const files = manifestOf(target);
  expect(files.find((file) => file.target === "fifo")).toMatchObject({
    status: "skipped",
    reason: expect.any(String),
  });
  expect(files.find((file) => file.source_base64)).toMatchObject({ status: "copied" });
  const shown = files.find((file) => file.target === "deep/журнал.log")!;
  expect(shown.sha256).toBe(new Bun.CryptoHasher("sha256").update("content of журнал.log").digest("hex"));

  await $`7zz t ${join(target, "archive.zip")}`.quiet();
  await $`unzip -tq ${join(target, "archive.zip")}`.quiet();
  const program =
    "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(len(z.namelist()))";
  const entries = Number(await $`python3 -c ${program} ${join(target, "archive.zip")}`.text());
  const directories = files.filter((file) => file.type === "directory").length;
  expect(entries).toBe(expected + directories + 1);
});

needs("rsync", "unzip")("20,000 files, byte for byte, in tree and archive", async () => {
  const directory = temporaryDirectory("many");
  const source = join(directory, "source");
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(join(source, `${folder}`), { recursive: true });
    for (let n = 0; n < 200; n++)
      writeFileSync(join(source, `${folder}/${n}.log`), `${folder} ${n}\n`.repeat(n));
  }
  const target = join(directory, "target");
  const { results } = await collect({ source_paths: [source], target_path: target, create_archive: true });
  expect(results).toMatchObject({ total_files: 20_000, processed_files: 20_000, failed_files: 0 });
  expect(await differences(source, target)).toBe("");
  await $`unzip -q ${join(target, "archive.zip")} -d ${join(directory, "extracted")}`.quiet();
  await $`diff -r ${source} ${join(directory, "extracted")} --exclude=pc_info.json`.quiet();
});

needs("7zz")("a sparse file of 5 GiB stays sparse", async () => {
  const directory = temporaryDirectory("sparse");
  mkdirSync(join(directory, "source"));
  const size = 5 * 2 ** 30;
  writeFileSync(join(directory, "source/disk.img"), "begin");
  truncateSync(join(directory, "source/disk.img"), size);
  const target = join(directory, "target");
  const { results } = await collect({
    source_paths: [join(directory, "source")],
    target_path: target,
    create_archive: true,
  });
  expect(results).toMatchObject({ total_files: 1, failed_files: 0, bytes: size });
  const copy = statSync(join(target, "disk.img"));
  expect(copy.size).toBe(size);
  expect(copy.blocks * 512).toBeLessThan(2 ** 20);
  await $`cmp ${join(directory, "source/disk.img")} ${join(target, "disk.img")}`.quiet();
  await $`7zz t ${join(target, "archive.zip")}`.quiet();
});

describe("where files come from and go to", () => {
  test("several sources keep their own directories; a clash gets a numbered name; what is there already stays", async () => {
    const directory = temporaryDirectory("clash");
    for (const place of ["a", "b"]) {
      mkdirSync(join(directory, place, "log"), { recursive: true });
      writeFileSync(join(directory, place, "log", "app.log"), place);
    }
    const target = join(directory, "target");
    const sources = [join(directory, "a/log"), join(directory, "b/log")];
    await collect({ source_paths: sources, target_path: target, collect_system_info: false });
    expect(readFileSync(join(target, "log/app.log"), "utf8")).toBe("a");
    expect(readFileSync(join(target, "log-2/app.log"), "utf8")).toBe("b");

    writeFileSync(join(directory, "a/log/app.log"), "changed");
    const again = await collect({ source_paths: sources, target_path: target, collect_system_info: false });
    expect(again.results).toMatchObject({
      processed_files: 2,
      manifest_path: join(target, "manifest-2.json"),
    });
    expect(readFileSync(join(target, "log/app.log"), "utf8")).toBe("a");
    expect(readFileSync(join(target, "log/app-2.log"), "utf8")).toBe("changed");
    expect(readdirSync(join(target, "log-2"))).toEqual(["app.log"]);
  });

  test("a target inside its source does not collect itself", async () => {
    const source = temporaryDirectory("inside");
    writeFileSync(join(source, "app.log"), "one");
    const target = join(source, "backup");
    const request = { source_paths: [source], target_path: target, collect_system_info: false };
    await collect(request);
    const { results } = await collect(request);
    expect(results).toMatchObject({ total_files: 1 });
    expect(readdirSync(target).toSorted()).toEqual(["app.log", "manifest-2.json", "manifest.json"]);
  });

  test("the data directory is neither read nor written; relative paths are refused", async () => {
    const target = join(temporaryDirectory("fence"), "target");
    for (const [request, status] of [
      [{ source_paths: [join(server.dataDirectory, "secrets")], target_path: target }, 403],
      [{ source_paths: ["/etc/hosts"], target_path: join(server.dataDirectory, "x") }, 403],
      [{ source_paths: ["etc"], target_path: target }, 400],
      [{ source_paths: ["/etc/hosts"], target_path: "target" }, 400],
      [{ source_paths: ["/etc/hosts"], target_path: "/etc/hosts" }, 400],
    ] as const)
      expect(collectTree(server.url, request)).rejects.toThrow(new RegExp(`^${status}:`));
    const parent = join(server.dataDirectory, "..");
    const { results } = await collect({
      source_paths: [parent],
      target_path: target,
      collect_system_info: false,
    });
    expect(results.total_files).toBe(0);
  });

  test("fences hold after symlinks are resolved", async () => {
    const directory = temporaryDirectory("fences");
    for (const name of ["in", "out", "other"]) mkdirSync(join(directory, name));
    writeFileSync(join(directory, "in/a.log"), "a");
    writeFileSync(join(directory, "other/secret"), "s");
    symlinkSync(join(directory, "other"), join(directory, "in/escape"));
    const fenced = await startTestServer({
      COLLECTOR_SOURCES: join(directory, "in"),
      COLLECTOR_TARGETS: join(directory, "out"),
    });
    try {
      const ask = (source: string, target: string) =>
        collectTree(fenced.url, {
          source_paths: [join(directory, source)],
          target_path: join(directory, target),
        });
      expect(ask("other", "out/x")).rejects.toThrow(/^403:/);
      expect(ask("in/escape", "out/x")).rejects.toThrow(/^403:/);
      expect(ask("in", "other/x")).rejects.toThrow(/^403:/);
      expect(ask("in", "out/../other/x")).rejects.toThrow(/^403:/);
      const { job_id } = await ask("in", "out/x");
      expect(await waitForResult(fenced.url, job_id)).toMatchObject({ results: { processed_files: 2 } });
    } finally {
      await fenced.stop();
    }
  });
});

describe("patterns", () => {
  test("glob by name or path, regex anywhere in the absolute path, bare strings, exclusion", async () => {
    const directory = temporaryDirectory("patterns");
    for (const path of ["a.log", "b.txt", "nginx/access.log", "nginx/old/x.log", "etc/c.conf"]) {
      mkdirSync(join(directory, "source", path, ".."), { recursive: true });
      writeFileSync(join(directory, "source", path), path);
    }
    const matched = async (rest: object): Promise<string[]> => {
      const target = join(temporaryDirectory("matched"), "target");
      const source_paths = [join(directory, "source")];
      await collect({ source_paths, target_path: target, collect_system_info: false, ...rest });
      return manifestOf(target)
        .filter(({ type }) => type === "file")
        .map((file) => file.target)
        .toSorted();
    };
    expect(await matched({ patterns: ["*.log"] })).toEqual(["a.log", "nginx/access.log", "nginx/old/x.log"]);
    expect(await matched({ patterns: [{ pattern: "nginx/*.log" }] })).toEqual(["nginx/access.log"]);
    expect(await matched({ patterns: [{ pattern: "nginx/**/*.log" }] })).toEqual([
      "nginx/access.log",
      "nginx/old/x.log",
    ]);
    expect(await matched({ patterns: ["nginx/.*[.]log$"], pattern_type: "regex" })).toEqual([
      "nginx/access.log",
      "nginx/old/x.log",
    ]);
    expect(await matched({ patterns: ["*.log"], exclude: ["old"] })).toEqual(["a.log", "nginx/access.log"]);
    expect(await matched({ patterns: ["*"], max_size: 5 })).toEqual(["a.log", "b.txt"]);
  });

  test("a pattern made to take for ever takes no time", async () => {
    const source = temporaryDirectory("redos");
    writeFileSync(join(source, `${"a".repeat(60)}!`), "x");
    const patterns = [{ pattern: "^(.*/)?(a+)+$", pattern_type: "regex" }];
    const target = join(temporaryDirectory("redos"), "target");
    const { results } = await collect({ source_paths: [source], target_path: target, patterns });
    expect(results).toMatchObject({ total_files: 0 });
  });
});

describe("archives", () => {
  const listing: Record<string, (archive: string) => Promise<string>> = {
    "archive.zip": (archive) => $`unzip -Z1 ${archive}`.text(),
    "archive.tar": (archive) => $`tar tf ${archive}`.text(),
    "archive.tar.gz": (archive) => $`tar tzf ${archive}`.text(),
    "archive.tar.bz2": (archive) => $`tar tjf ${archive}`.text(),
    "archive.tar.xz": (archive) => $`tar tJf ${archive}`.text(),
    "archive.7z": (archive) => $`7zz l -slt -ba ${archive}`.text(),
  };

  needs(
    "unzip",
    "tar",
    "bzip2",
    "xz",
    "7zz",
  )("every format holds the files and pc_info.json, alone or beside the copies", async () => {
    const source = temporaryDirectory("formats");
    writeFileSync(join(source, "app.log"), "one");
    for (const [request, name] of [
      [{ archive_format: "zip" }, "archive.zip"],
      [{ archive_format: "tar" }, "archive.tar"],
      [{ archive_format: "tar", archive_compression: "gzip" }, "archive.tar.gz"],
      [{ archive_format: "tar", archive_compression: "bzip2" }, "archive.tar.bz2"],
      [{ archive_format: "tar", archive_compression: "xz", archive_only: true }, "archive.tar.xz"],
      [{ archive_format: "7z", archive_only: true }, "archive.7z"],
    ] as const) {
      const target = join(temporaryDirectory("formats"), "target");
      const { status, results } = await collect({
        source_paths: [source],
        target_path: target,
        create_archive: true,
        ...request,
      });
      expect({ status, results }).toMatchObject({
        status: "completed",
        results: { archive_created: true, archive_path: join(target, name), warnings: [] },
      });
      const listed = await listing[name]!(join(target, name));
      expect(listed).toContain("app.log");
      expect(listed).toContain("pc_info.json");
      const beside = "archive_only" in request ? [] : ["app.log"];
      expect(readdirSync(target).toSorted()).toEqual(
        [...beside, name, "manifest.json", "pc_info.json"].toSorted(),
      );
    }
  });

  test("compression of what is no tar is ignored with a warning", async () => {
    const target = join(temporaryDirectory("ignored"), "target");
    const rest = { create_archive: true, archive_format: "zip", archive_compression: "xz" };
    const { results } = await collect({ source_paths: ["/etc/hosts"], target_path: target, ...rest });
    expect(results).toMatchObject({
      archive_path: join(target, "archive.zip"),
      warnings: ["archive_compression is for tar archives and was ignored for zip"],
    });
  });

  test("a moved source is gone, and its archive alone holds it", async () => {
    const source = temporaryDirectory("moved");
    writeFileSync(join(source, "app.log"), "one");
    const target = join(temporaryDirectory("moved"), "target");
    const rest = { operation_mode: "move", archive_only: true, collect_system_info: false };
    const { status } = await collect({ source_paths: [source], target_path: target, ...rest });
    expect(status).toBe("completed");
    expect(readdirSync(source)).toEqual([]);
    expect(readdirSync(target).toSorted()).toEqual(["archive.zip", "manifest.json"]);
  });
});

describe("a job's life", () => {
  /** A source that takes a while: incompressible, so that its archive does too. */
  function slowSource(): string {
    const source = temporaryDirectory("slow");
    const noise = Buffer.alloc(64 * 1024 * 1024);
    for (let at = 0; at < noise.length; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
    for (let n = 0; n < 8; n++) writeFileSync(join(source, `${n}.bin`), noise);
    return source;
  }

  test("DELETE stops it, removes what is half-written, and it is forgotten; watchers are told", async () => {
    const source = slowSource();
    const target = join(temporaryDirectory("cancel"), "target");
    const { job_id } = await collectTree(server.url, {
      source_paths: [source],
      target_path: target,
      create_archive: true,
    });
    const followed = followJob(server.url, job_id);
    while (!existsSync(target)) await Bun.sleep(1);
    const response = await fetch(`${server.url}/api/v1/job/${job_id}`, { method: "DELETE" });
    expect(await response.json()).toEqual({ status: "cancelled" });
    expect((await fetch(`${server.url}/api/v1/result/${job_id}`)).status).toBe(404);
    const { frames, code } = await followed;
    expect(frames.at(-1)).toMatchObject({ status: "cancelled" });
    expect(code).toBe(1000);
    for (const name of readdirSync(target)) {
      expect(name).toMatch(/^\d\.bin$/);
      expect(statSync(join(target, name)).size).toBe(64 * 1024 * 1024);
    }
    expect(readdirSync(source)).toHaveLength(8);
  });

  needs("rsync")("killed again and again, it ends as if nothing had happened", async () => {
    const directory = temporaryDirectory("killed");
    const source = join(directory, "source");
    for (let folder = 0; folder < 20; folder++) {
      mkdirSync(join(source, `${folder}`), { recursive: true });
      for (let n = 0; n < 100; n++)
        writeFileSync(join(source, `${folder}/${n}.log`), `${folder} ${n}\n`.repeat(n * 20));
    }
    const data = await freshDataDirectory();
    const target = join(directory, "target");
    let jobId: string | null = null;
    for (let round = 0; round < 4; round++) {
      const killed = await startProcess(data);
      jobId ??= (
        await collectTree(killed.url, { source_paths: [source], target_path: target, create_archive: true })
      ).job_id;
      await Bun.sleep(30 + round * 70);
      killed.kill("SIGKILL");
      await killed.exited;
    }
    const last = await startProcess(data);
    try {
      const { status, results } = await waitForResult(last.url, jobId!);
      expect({ status, results }).toMatchObject({
        status: "completed",
        results: { processed_files: 2000, failed_files: 0 },
      });
      expect(await differences(source, target)).toBe("");
      expect(
        readdirSync(target)
          .filter((name) => !/^\d+$/.test(name))
          .toSorted(),
      ).toEqual(["archive.zip", "manifest.json", "pc_info.json"]);
    } finally {
      last.kill("SIGTERM");
      await last.exited;
    }
  });

  test("a job that waits after a restart is forgotten with what it had kept", async () => {
    const source = slowSource();
    const directory = temporaryDirectory("waiting");
    const targets = ["a", "b"].map((name) => join(directory, name));
    const data = await freshDataDirectory();
    const env = { COLLECTOR_CONCURRENCY: "1" };
    const first = await startProcess(data, { env: { COLLECTOR_CONCURRENCY: "2" } });
    const ids: string[] = [];
    for (const target of targets)
      ids.push(
        (await collectTree(first.url, { source_paths: [source], target_path: target, create_archive: true }))
          .job_id,
      );
    while (!targets.every((target) => existsSync(target) && readdirSync(target).length > 0))
      await Bun.sleep(2);
    first.kill("SIGTERM");
    await first.exited;
    const second = await startProcess(data, { env });
    try {
      for (const id of ids.toReversed()) {
        const response = await fetch(`${second.url}/api/v1/job/${id}`, { method: "DELETE" });
        expect(response.status).toBe(200);
      }
      for (const target of targets)
        expect(readdirSync(target).filter((name) => name.startsWith("."))).toEqual([]);
    } finally {
      second.kill("SIGTERM");
      await second.exited;
    }
  });

  test("a target that cannot be written fails with its reason", async () => {
    const target = join(temporaryDirectory("failing"), "target");
    mkdirSync(target);
    await $`chattr +i ${target}`.quiet().nothrow();
    const { status, results } = await collect({ source_paths: ["/etc/hosts"], target_path: target });
    await $`chattr -i ${target}`.quiet().nothrow();
    if (process.getuid?.() === 0) {
      expect(status).toBe("failed");
      expect(results).toEqual({
        error: expect.stringMatching(/^Collection failed: (Operation not permitted|Permission denied)/),
      });
    }
  });

  test("too little room is told before anything starts", async () => {
    const source = temporaryDirectory("huge");
    const target = join(temporaryDirectory("huge"), "target");
    await $`fallocate -l 1 ${join(source, "x")}`.quiet();
    if (process.getuid?.() !== 0) return;
    mkdirSync(target);
    await $`mount -t tmpfs -o size=1m tmpfs ${target}`;
    try {
      writeFileSync(join(source, "big.log"), Buffer.alloc(3 * 1024 * 1024, 1));
      expect(collectTree(server.url, { source_paths: [source], target_path: target })).rejects.toThrow(
        /^400: {"detail":"Insufficient disk space\. Required: 3\.0 MiB, Available: 1\.0 MiB"}$/,
      );
    } finally {
      await $`umount ${target}`;
    }
  });

  (process.getuid?.() === 0 ? test : test.skip)(
    "a disk that fills up while the archive is written fails clearly and leaves no half of one",
    async () => {
      const source = temporaryDirectory("full");
      const target = join(temporaryDirectory("full"), "target");
      mkdirSync(target);
      await $`mount -t tmpfs -o size=12m tmpfs ${target}`;
      try {
        const noise = Buffer.alloc(8 * 1024 * 1024);
        for (let at = 0; at < noise.length; at += 65_536)
          crypto.getRandomValues(noise.subarray(at, at + 65_536));
        writeFileSync(join(source, "noise.bin"), noise);
        for (const format of ["zip", "tar", "7z"]) {
          const { status, results } = await collect({
            source_paths: [source],
            target_path: target,
            create_archive: true,
            archive_format: format,
            operation_mode: "move",
            collect_system_info: false,
          });
          expect({ format, status, results }).toEqual({
            format,
            status: "failed",
            results: { error: expect.stringMatching(/^Collection failed: .*No space left on device/i) },
          });
          expect(readFileSync(join(source, "noise.bin")).equals(noise)).toBe(true);
          expect(readdirSync(target).filter((name) => !name.startsWith("noise"))).toEqual([]);
          await $`find ${target} -mindepth 1 -delete`;
        }
      } finally {
        await $`umount ${target}`;
      }
    },
  );

  test("finished jobs are forgotten after COLLECTOR_JOB_RETENTION_DAYS", async () => {
    const data = await freshDataDirectory();
    const target = join(temporaryDirectory("retention"), "target");
    const first = await startTestServer({ DATA_DIR: data, COLLECTOR_JOB_RETENTION_DAYS: "7" });
    const ids: string[] = [];
    for (let n = 0; n < 2; n++) {
      const { job_id } = await collectTree(first.url, { source_paths: ["/etc/hosts"], target_path: target });
      await waitForResult(first.url, job_id);
      ids.push(job_id);
    }
    const database = openEmbedded(data);
    await database`update platform.jobs set finished_at = now() - interval '8 days' where id = ${ids[0]}`;
    await database.close();
    await first.quintet.stop();
    const second = await startTestServer({ DATA_DIR: data, COLLECTOR_JOB_RETENTION_DAYS: "7" });
    const statuses = await Promise.all(
      ids.map(async (id) => (await fetch(`${second.url}/api/v1/result/${id}`)).status),
    );
    await second.stop();
    expect(statuses).toEqual([404, 200]);
  });

  test("the list of jobs, newest first", async () => {
    const target = join(temporaryDirectory("list"), "target");
    const first = await collectTree(server.url, { source_paths: ["/etc/hosts"], target_path: target });
    await waitForResult(server.url, first.job_id);
    const second = await collectTree(server.url, { source_paths: ["/etc/hosts"], target_path: target });
    await waitForResult(server.url, second.job_id);
    const list = async (query: string) =>
      (await (await fetch(`${server.url}/api/v1/jobs?${query}`)).json()) as {
        total: number;
        jobs: { job_id: string }[];
      };
    const all = await list("limit=2");
    expect(all.jobs.map(({ job_id }) => job_id)).toEqual([second.job_id, first.job_id]);
    expect((await list("limit=1&offset=1")).jobs[0]?.job_id).toBe(first.job_id);
    expect((await list("status=running")).total).toBe(0);
    expect((await fetch(`${server.url}/api/v1/jobs?limit=0`)).status).toBe(422);
  });
});
