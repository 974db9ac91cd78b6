import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { writeArchive } from "../../../src/services/collector/archive/archive.ts";
import { combineCrc32 } from "../../../src/services/collector/archive/crc32.ts";
import { needs } from "../../needs.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { entryOf, groups, makeFiles, noise, quiet, sha256 } from "./entries.ts";

/** What Python's zipfile finds: sizes, permissions and contents by name. */
async function readByPython(
  archive: string,
): Promise<Record<string, { sha256: string; mode: number; method: number }>> {
  const program = `
import hashlib, json, sys, zipfile
found = {}
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for info in archive.infolist():
        digest = hashlib.sha256()
        with archive.open(info) as content:
            while chunk := content.read(1 << 20): digest.update(chunk)
        found[info.filename] = {"sha256": digest.hexdigest(), "mode": info.external_attr >> 16, "method": info.compress_type}
json.dump(found, sys.stdout)`;
  return JSON.parse(await $`python3 -c ${program} ${archive}`.text());
}

test("combined CRC-32 is that of the whole", () => {
  const content = noise(100_000);
  for (const cut of [0, 1, 777, 65_536, 100_000]) {
    const [first, second] = [content.subarray(0, cut), content.subarray(cut)];
    const combined = combineCrc32(Bun.hash.crc32(first), Bun.hash.crc32(second), second.length);
    expect(combined).toBe(Bun.hash.crc32(content));
  }
});

needs(
  "python3",
  "unzip",
  "7zz",
)("contents, names and modes as three independent readers see them", async () => {
  const directory = temporaryDirectory("zip");
  const text = Buffer.from("a line of a log, again and again\n".repeat(5000));
  const files: Record<string, Buffer> = {
    "empty.log": Buffer.alloc(0),
    "deep/er/app.log": text,
    "noise.bin": noise(100_000),
    "журнал/ошибки.log": text,
    "with space & 'quotes'.txt": Buffer.from("x"),
    "-rf.log": Buffer.from("dash"),
    "exactly.bin": noise(4 * 1024 * 1024),
    "large.log": Buffer.concat([Buffer.from("line\n".repeat(2_000_000)), noise(1_000_000), text]),
    "piece.bin": noise(6 * 1024 * 1024),
  };
  const entries = makeFiles(directory, files);
  entries.push(entryOf(directory, "only directory", { type: "directory", mode: 0o750 }));
  symlinkSync("er/app.log", join(directory, "link"));
  entries.push(entryOf(join(directory, "link"), "deep/link", { type: "symlink", mode: 0o777 }));
  entries[1]!.mode = 0o640;

  const archive = join(directory, "archive.zip");
  const written = await writeArchive("zip", groups(entries), archive, quiet);
  expect(written).toMatchObject({ entries: entries.length, warnings: [], bytes: Bun.file(archive).size });

  const found = await readByPython(archive);
  for (const [name, content] of Object.entries(files)) expect(found[name]?.sha256).toBe(sha256(content));
  expect(found["deep/er/app.log"]).toMatchObject({ mode: 0o100640, method: 8 });
  expect(found["noise.bin"]?.method).toBe(0);
  expect(found["only directory/"]?.mode).toBe(0o040750);
  expect(found["deep/link"]).toMatchObject({ mode: 0o120777, sha256: sha256(Buffer.from("er/app.log")) });
  await $`unzip -tq ${archive}`.quiet();
  await $`7zz t ${archive}`.quiet();

  const extracted = join(directory, "extracted");
  await $`unzip -q ${archive} -d ${extracted}`.quiet();
  expect(readFileSync(join(extracted, "deep/link"))).toEqual(text);
  const { mtimeMs } = await Bun.file(join(extracted, "noise.bin")).stat();
  expect(Math.floor(mtimeMs / 1000)).toBe(1_700_000_000);
  expect(readdirSync(directory).filter((name) => name.endsWith(".directory"))).toEqual([]);
});

needs("python3", "7zz")(
  "names that are not UTF-8 keep their bytes; names that climb out do not",
  async () => {
    const directory = temporaryDirectory("zip");
    writeFileSync(join(directory, "f"), "content");
    const raw = Buffer.from([0x66, 0xfc, 0x72]);
    const archive = join(directory, "archive.zip");
    const names = [raw, "/etc/passwd", "../../up", "a/./b//c"];
    await writeArchive(
      "zip",
      groups(names.map((name) => entryOf(join(directory, "f"), name, { size: 7 }))),
      archive,
      quiet,
    );
    const found = Object.keys(await readByPython(archive));
    expect(found).toContain(
      Buffer.from([0x66, 0x81, 0x72]).equals(raw) ? "" : found.find((name) => name.startsWith("f"))!,
    );
    expect(readFileSync(archive).includes(raw)).toBe(true);
    expect(found).toEqual(expect.arrayContaining(["etc/passwd", "up", "a/b/c"]));
  },
);

needs(
  "python3",
  "unzip",
  "7zz",
)("70,000 entries", async () => {
  const directory = temporaryDirectory("zip");
  writeFileSync(join(directory, "f"), "content");
  const entries = Array.from({ length: 70_000 }, (_, n) =>
    entryOf(join(directory, "f"), `${n}.log`, { size: 7 }),
  );
  const archive = join(directory, "archive.zip");
  expect(await writeArchive("zip", groups(entries), archive, quiet)).toMatchObject({ entries: 70_000 });
  const count =
    await $`python3 -c ${"import sys,zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))"} ${archive}`.text();
  expect(count.trim()).toBe("70000");
  await $`unzip -tq ${archive}`.quiet();
  await $`7zz t ${archive}`.quiet();
});

needs(
  "python3",
  "unzip",
  "7zz",
)("a sparse file of 5 GiB, and entries after the first 4 GiB", async () => {
  const directory = temporaryDirectory("zip");
  const size = 5 * 2 ** 30;
  const sparse = join(directory, "sparse");
  writeFileSync(sparse, "begin");
  truncateSync(sparse, size);
  const stored = join(directory, "stored");
  writeFileSync(stored, noise(3_000_000));
  const entries = [
    entryOf(sparse, "sparse.img", { size }),
    entryOf(stored, "after.bin", { size: 3_000_000 }),
  ];
  const archive = join(directory, "archive.zip");
  await writeArchive("zip", groups(entries), archive, quiet);
  const list = "import sys,zipfile; print([i.file_size for i in zipfile.ZipFile(sys.argv[1]).infolist()])";
  expect((await $`python3 -c ${list} ${archive}`.text()).trim()).toBe(`[${size}, 3000000]`);
  await $`7zz t ${archive}`.quiet();
  await $`unzip -tq ${archive}`.quiet();
});

needs("python3")("a file that is gone, shrank, grew or became a FIFO never breaks the archive", async () => {
  const directory = temporaryDirectory("zip");
  const entries = makeFiles(directory, {
    gone: Buffer.from("x"),
    shrunk: noise(9_000_000),
    grown: Buffer.from("short"),
    "large gone": noise(9_000_000),
    fine: Buffer.from("fine"),
  });
  await $`rm ${join(directory, "file-0")} ${join(directory, "file-3")}`;
  truncateSync(join(directory, "file-1"), 5_000_000);
  writeFileSync(join(directory, "file-2"), "longer than it was");
  await $`mkfifo ${join(directory, "fifo")}`;
  entries.push(entryOf(join(directory, "fifo"), "fifo", { size: 1 }));
  const archive = join(directory, "archive.zip");
  const { warnings } = await writeArchive("zip", groups(entries), archive, quiet);
  for (const name of ["file-0", "file-1", "file-3", "fifo"]) expect(warnings.join("\n")).toContain(name);
  const found = await readByPython(archive);
  expect(found.shrunk?.sha256).toBe(sha256(readFileSync(join(directory, "file-1"))));
  expect(found.fine?.sha256).toBe(sha256(Buffer.from("fine")));
  expect(found.gone).toBeUndefined();
});

needs("unzip")("dates before 1980 and after 2107", async () => {
  const directory = temporaryDirectory("zip");
  writeFileSync(join(directory, "f"), "content");
  utimesSync(join(directory, "f"), 0, 0);
  const times = [0n, -1_000_000_000_000_000_000n, 5_000_000_000_000_000_000n];
  const entries = times.map((mtimeNs, n) => entryOf(join(directory, "f"), String(n), { size: 7, mtimeNs }));
  const archive = join(directory, "archive.zip");
  await writeArchive("zip", groups(entries), archive, quiet);
  await $`unzip -tq ${archive}`.quiet();
});

test("aborted in the middle nothing is left; an existing file is not overwritten", async () => {
  const directory = temporaryDirectory("zip");
  const entries = makeFiles(directory, { big: noise(64_000_000) });
  mkdirSync(join(directory, "out"));
  const archive = join(directory, "out/archive.zip");
  const controller = new AbortController();
  const writing = writeArchive("zip", groups(entries), archive, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  expect(writing).rejects.toThrow();
  await writing.catch(() => {});
  expect(readdirSync(join(directory, "out"))).toEqual([]);
  writeFileSync(archive, "mine");
  expect(writeArchive("zip", groups(entries), archive, quiet)).rejects.toThrow(/EEXIST/);
  expect(readFileSync(archive, "utf8")).toBe("mine");
  expect(existsSync(`${archive}.directory`)).toBe(false);
});
