import { afterAll, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type Collected,
  collectFiles,
  type FileRecord,
} from "../../../src/services/collector/collect/collect.ts";
import { finish } from "../../../src/services/collector/collect/finish.ts";
import type { CollectOptions } from "../../../src/services/collector/collect/options.ts";
import { removeSources } from "../../../src/services/collector/collect/removal-phase.ts";
import { needs } from "../../needs.ts";

// These tests copy for seconds on a busy machine.
setDefaultTimeout(120_000);

/** A directory that is gone when the file's tests are over. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "quintet-collect-")));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The test function for tests that mount file systems: as root, or in CI. */
export function needsMount(): typeof test | typeof test.skip {
  if (process.getuid?.() === 0 || process.env.CI === "true") return needs("mount", "umount");
  console.warn("skipping a test: mounting needs root");
  return test.skip;
}

/** Runs a program that must succeed. */
export function runs(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}

/** Writes files; a name that ends with a slash is a directory. */
export function writeTree(root: string, files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (!name.endsWith("/")) writeFileSync(path, content);
  }
}

/** Options with everything at its plainest. */
export function optionsFor(
  sources: string[],
  target: string,
  more: Partial<CollectOptions> = {},
): CollectOptions {
  return {
    jobId: "test",
    sources,
    target,
    patterns: [],
    exclude: [],
    mode: "copy",
    forbidden: [],
    ...more,
  };
}

/** A collection from start to finish, with all its records. */
export async function collect(options: CollectOptions): Promise<Collected & { files: FileRecord[] }> {
  const run = { signal: new AbortController().signal, onProgress: () => undefined };
  const collected = await collectFiles(options, run);
  await removeSources(options, collected, run);
  const files = await Array.fromAsync(collected.records());
  await finish(options);
  return { ...collected, files: files.flat() };
}

/** One line for everything below a directory: type, mode, owner, time, size, content. Names are latin1. */
export function snapshot(root: string): string[] {
  const lines: string[] = [];
  const visit = (relative: Buffer) => {
    const names = readdirSync(Buffer.concat([Buffer.from(`${root}/`), relative]), { encoding: "buffer" });
    for (const name of names) {
      const path = relative.length === 0 ? name : Buffer.concat([relative, Buffer.from("/"), name]);
      lines.push(describe(root, path));
      if (lstatSync(Buffer.concat([Buffer.from(`${root}/`), path])).isDirectory()) visit(path);
    }
  };
  visit(Buffer.alloc(0));
  return lines.sort();
}

function describe(root: string, path: Buffer): string {
  const full = Buffer.concat([Buffer.from(`${root}/`), path]);
  const status = lstatSync(full, { bigint: true });
  const common = [path.toString("latin1"), status.mode.toString(8), status.uid, status.gid, status.mtimeNs];
  if (status.isSymbolicLink()) return [...common, readlinkSync(full, "buffer").toString("latin1")].join(" ");
  if (!status.isFile()) return common.join(" ");
  return [...common, status.size, createHash("sha256").update(readFileSync(full)).digest("hex")].join(" ");
}

/** The record of a file by its name in the target. */
export function recordOf(files: readonly FileRecord[], target: string): FileRecord | undefined {
  return files.find((file) => file.target.toString() === target);
}
