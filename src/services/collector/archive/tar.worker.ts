/** Reads, frames and packs for the tar writer; see `tar-tasks.ts`. */
import { readlinkSync } from "node:fs";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { pack } from "./packing.ts";
import { readPart } from "./read-file.ts";
import type { PieceStep, Step, WireEntry } from "./steps.ts";
import { paddingOf, tarHeader } from "./tar-format.ts";
import type { TarReply, TarTask } from "./tar-tasks.ts";
import type { Answer } from "./worker-pool.ts";

declare const self: Worker;

const lossy = (path: string): string => Buffer.from(path, "latin1").toString();

function headerOf({ name, type, mode, mtime, size, path }: WireEntry): Buffer {
  const link =
    type === "symlink" ? readlinkSync(Buffer.from(path, "latin1"), { encoding: "buffer" }) : Buffer.alloc(0);
  return tarHeader({ name: Buffer.from(name, "latin1"), type, mode, mtime, size, link });
}

/** Exactly `length` bytes of a file: tar tells the size before the content, so what is missing is filled with zeros. */
function readExactly({ path }: WireEntry, offset: number, length: number, warnings: string[]): Buffer[] {
  const read = readPart(path, offset, length);
  if (read.length === length) return [read];
  warnings.push(`${lossy(path)}: became shorter while it was read; filled with zeros`);
  return [read, Buffer.alloc(length - read.length)];
}

/** The entry whole, or nothing when it cannot be read. */
function frameEntry(entry: WireEntry, warnings: string[]): Buffer[] {
  try {
    const content = entry.type === "file" ? readExactly(entry, 0, entry.size, warnings) : [];
    return [headerOf(entry), ...content, Buffer.alloc(paddingOf(entry.size))];
  } catch (error) {
    warnings.push(`${lossy(entry.path)}: not archived: ${reasonOf(error)}`);
    return [];
  }
}

/** A piece of a large file. Its header may be out already: what cannot be read is filled with zeros. */
function framePiece({ entry, offset, length, last }: PieceStep, warnings: string[]): Buffer[] {
  const parts = offset === 0 ? [headerOf(entry)] : [];
  try {
    parts.push(...readExactly(entry, offset, length, warnings));
  } catch (error) {
    warnings.push(`${lossy(entry.path)}: not archived, filled with zeros: ${reasonOf(error)}`);
    parts.push(Buffer.alloc(length));
  }
  if (last) parts.push(Buffer.alloc(paddingOf(entry.size)));
  return parts;
}

function frame(step: Step): Omit<TarReply, "data"> & { parts: Buffer[] } {
  const warnings: string[] = [];
  if (step.kind === "piece")
    return { parts: framePiece(step, warnings), entries: step.last ? 1 : 0, warnings };
  const framed = step.entries.map((entry) => frameEntry(entry, warnings));
  return { parts: framed.flat(), entries: framed.filter((parts) => parts.length > 0).length, warnings };
}

self.onmessage = async ({ data: { step, packing } }: MessageEvent<TarTask>) => {
  try {
    const { parts, entries, warnings } = frame(step);
    const whole = new Uint8Array(Bun.concatArrayBuffers(parts));
    const reply: TarReply = { data: await pack(whole, packing), entries, warnings };
    self.postMessage({ reply } satisfies Answer<TarReply>, [reply.data.buffer]);
  } catch (error) {
    self.postMessage({ error: reasonOf(error) } satisfies Answer<TarReply>);
  }
};
