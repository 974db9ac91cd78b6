import { test } from "bun:test";
import { tmpdir } from "node:os";
import type { Column, CommonType } from "../../../src/services/pipelines/connect/types.ts";
import { missingForPython } from "../../../src/services/pipelines/run/python/sandbox.ts";
import {
  type PythonOptions,
  transformWithPython,
} from "../../../src/services/pipelines/run/python/transform.ts";

const missing = await missingForPython();
if (missing !== null) console.warn(`skipping tests: ${missing}`);

/** The test function for tests of the sandbox: skipped with the reason where there is none, but not in CI. */
export const sandboxTest = missing === null || process.env.CI === "true" ? test : test.skip;

/** A nullable column. */
export const column = (name: string, type: CommonType | "text" | "int64" | "float64"): Column => ({
  name,
  type: typeof type === "string" ? { kind: type } : type,
  nullable: true,
});

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Transforms rows given as text and reads the result to its end. */
export async function transformed(
  code: string,
  columns: Column[],
  text: string,
  options: Partial<PythonOptions> = {},
): Promise<{ columns: Column[]; text: string }> {
  const signal = options.signal ?? AbortSignal.timeout(60_000);
  const rows = { columns, chunks: inPieces(text, 1000) };
  const result = await transformWithPython(rows, code, { directory: tmpdir(), ...options, signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of result.chunks) chunks.push(chunk);
  return { columns: result.columns, text: Buffer.concat(chunks).toString() };
}

/** Processes whose command line holds a text. */
export async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of new Bun.Glob("[0-9]*/cmdline").scan({ cwd: "/proc", onlyFiles: false })) {
    const line = await Bun.file(`/proc/${path}`)
      .text()
      .catch(() => "");
    if (line.includes(text)) found.push(line.replaceAll("\0", " ").slice(0, 200));
  }
  return found;
}
