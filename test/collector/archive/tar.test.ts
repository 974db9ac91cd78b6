import { describe, expect, test } from "bun:test";
import { readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import {
  type ArchiveFormat,
  archiveFileName,
  formatOf,
  writeArchive,
} from "../../../src/services/collector/archive/archive.ts";
import { tarHeader } from "../../../src/services/collector/archive/tar-format.ts";
import { needs } from "../../needs.ts";
import { temporaryDirectory } from "../../support/server.ts";
import { entryOf, groups, makeFiles, noise, quiet, sha256 } from "./entries.ts";

/** What Python's tarfile finds: type, permissions, time, link and content by name. */
async function readByPython(archive: string): Promise<Record<string, Record<string, unknown>>> {
  const program = `
import hashlib, json, sys, tarfile
found = {}
with tarfile.open(sys.argv[1]) as archive:
    for info in archive:
        digest = hashlib.sha256()
        if info.isfile():
            content = archive.extractfile(info)
            while chunk := content.read(1 << 20): digest.update(chunk)
        found[info.name] = {"type": info.type.decode(), "mode": info.mode, "mtime": info.mtime, "link": info.linkname, "size": info.size, "sha256": digest.hexdigest()}
json.dump(found, sys.stdout)`;
  return JSON.parse(await $`python3 -c ${program} ${archive}`.text());
}

const checks: Record<string, (archive: string) => Promise<unknown>> = {
  "tar.gz": (archive) => $`gzip -t ${archive}`.quiet(),
  "tar.bz2": (archive) => $`bzip2 -t ${archive}`.quiet(),
  "tar.xz": (archive) => $`xz -t ${archive}`.quiet(),
};

describe.each(["tar", "tar.gz", "tar.bz2", "tar.xz"] as ArchiveFormat[])("%s", (format) => {
  needs(
    "python3",
    "tar",
    "gzip",
    "bzip2",
    "xz",
  )("contents, names, modes and links as independent readers see them", async () => {
    const directory = temporaryDirectory("tar");
    const text = Buffer.from("a line of a log, again and again\n".repeat(5000));
    const files: Record<string, Buffer> = {
      "empty.log": Buffer.alloc(0),
      "deep/er/app.log": text,
      "журнал/ошибки.log": text,
      [`${"long/".repeat(30)}${"имя".repeat(30)}.log`]: Buffer.from("long"),
      [`${"x".repeat(99)}`]: Buffer.from("99"),
      [`${"y".repeat(100)}`]: Buffer.from("100"),
      [`${"z".repeat(101)}`]: Buffer.from("101"),
      "-rf": Buffer.from("dash"),
      "exactly 512": noise(512),
      "large.log": Buffer.concat([Buffer.from("line\n".repeat(2_000_000)), noise(1_000_001)]),
    };
    const entries = makeFiles(directory, files);
    entries.push(entryOf(directory, "only directory", { type: "directory", mode: 0o750 }));
    for (const [name, link] of [
      ["link", "deep/er/app.log"],
      ["long link", `../${"w".repeat(150)}`],
    ] as const) {
      symlinkSync(link, join(directory, name));
      entries.push(entryOf(join(directory, name), name, { type: "symlink", mode: 0o777 }));
    }
    entries[1]!.mode = 0o640;
    const archive = join(directory, archiveFileName(format));
    const written = await writeArchive(format, groups(entries), archive, quiet);
    expect(written).toMatchObject({ entries: entries.length, warnings: [], bytes: Bun.file(archive).size });
    await checks[format]?.(archive);
    const found = await readByPython(archive);
    for (const [name, content] of Object.entries(files))
      expect(found[name]).toMatchObject({
        type: "0",
        size: content.length,
        sha256: sha256(content),
        mtime: 1_700_000_000,
      });
    expect(found["deep/er/app.log"]?.mode).toBe(0o640);
    expect(found["only directory"]).toMatchObject({ type: "5", mode: 0o750 });
    expect(found.link).toMatchObject({ type: "2", link: "deep/er/app.log" });
    expect(found["long link"]).toMatchObject({ link: `../${"w".repeat(150)}` });
    const listed = await $`tar tf ${archive}`.text();
    expect(listed.trimEnd().split("\n")).toHaveLength(entries.length);
  });

  needs("python3")(
    "a file that is gone, shrank, grew or became a FIFO never breaks the archive",
    async () => {
      const directory = temporaryDirectory("tar");
      const entries = makeFiles(directory, {
        gone: Buffer.from("x"),
        shrunk: noise(9_000_000),
        grown: Buffer.from("short"),
        fine: Buffer.from("fine"),
      });
      await $`rm ${join(directory, "file-0")}`;
      truncateSync(join(directory, "file-1"), 5_000_000);
      writeFileSync(join(directory, "file-2"), "longer than it was");
      await $`mkfifo ${join(directory, "fifo")}`;
      entries.splice(1, 0, entryOf(join(directory, "fifo"), "fifo", { size: 1 }));
      const archive = join(directory, archiveFileName(format));
      const { warnings } = await writeArchive(format, groups(entries), archive, quiet);
      for (const name of ["file-0", "file-1", "fifo"]) expect(warnings.join("\n")).toContain(name);
      const found = await readByPython(archive);
      expect(found.shrunk?.size).toBe(9_000_000);
      expect(found.grown?.sha256).toBe(sha256(Buffer.from("longe")));
      expect(found.fine?.sha256).toBe(sha256(Buffer.from("fine")));
      expect(found.gone).toBeUndefined();
    },
  );

  test("aborted in the middle nothing is left", async () => {
    const directory = temporaryDirectory("tar");
    const entries = makeFiles(directory, { big: noise(64_000_000) });
    const controller = new AbortController();
    const destination = join(temporaryDirectory("tar-out"), "archive");
    const run = { signal: controller.signal, onProgress: () => controller.abort() };
    const writing = writeArchive(format, groups(entries), destination, run);
    expect(writing).rejects.toThrow();
    await writing.catch(() => {});
    expect(readdirSync(join(destination, ".."))).toEqual([]);
  });
});

needs("python3")(
  "sizes over 8 GiB, times outside 33 bits and names that are not UTF-8 are told in extended headers",
  async () => {
    const raw = Buffer.concat([Buffer.from([0x66, 0xfc, 0xff]), Buffer.alloc(120, 0x78)]);
    const link = Buffer.alloc(0);
    const headers = [
      { name: Buffer.from("huge"), type: "file" as const, mode: 0o644, mtime: 1, size: 9 * 2 ** 30, link },
      { name: Buffer.from("old"), type: "directory" as const, mode: 0o755, mtime: -5, size: 0, link },
      { name: raw, type: "directory" as const, mode: 0o755, mtime: 0, size: 0, link },
    ];
    const program = `
import io, json, sys, tarfile
found = []
for text in json.load(sys.stdin):
    archive = tarfile.open(fileobj=io.BytesIO(bytes.fromhex(text) + bytes(1024)), mode="r:")
    info = archive.next()
    found.append([info.name.encode("utf-8", "surrogateescape").hex(), info.size, info.mtime])
json.dump(found, sys.stdout)`;
    const input = JSON.stringify(headers.map((header) => tarHeader(header).toString("hex")));
    const found = JSON.parse(await $`python3 -c ${program} < ${Buffer.from(input)}`.text());
    expect(found).toEqual([
      [Buffer.from("huge").toString("hex"), 9 * 2 ** 30, 1],
      [Buffer.from("old").toString("hex"), 0, -5],
      [raw.toString("hex"), 0, 0],
    ]);
  },
);

test("formats by what a request names", () => {
  expect(formatOf("zip", "gzip")).toBe("zip");
  expect(formatOf("tar", null)).toBe("tar");
  expect(formatOf("tar", "gzip")).toBe("tar.gz");
  expect(archiveFileName("tar.xz")).toBe("archive.tar.xz");
});
