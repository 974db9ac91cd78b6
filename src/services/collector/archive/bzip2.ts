/**
 * bzip2 by its own C library as WebAssembly, carried inside the executable: no system program is needed. The module is used without the
 * JavaScript that comes along with it, which would handle this process's uncaught exceptions.
 */
import { readFileSync } from "node:fs";
import path from "bzip2-wasm/bzip2-1.0.8/bzip2.wasm" with { type: "file" };

/** What the module exports of libbz2 and of its C library; pointers are numbers. */
interface Library {
  memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(pointer: number): void;
  BZ2_bzBuffToBuffCompress(
    destination: number,
    destinationLength: number,
    source: number,
    sourceLength: number,
    blockSize: number,
    verbosity: number,
    workFactor: number,
  ): number;
}

/** Blocks of 900 kB, as the program makes them. */
const blockSize = 9;
const workFactor = 30;
const pageBytes = 65_536;

let loaded: Library | null = null;

function load(): Library {
  const failed = () => -1;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path)), {
    env: {
      exit: (status: number) => {
        throw new Error(`bzip2 gave up with ${status}`);
      },
      emscripten_memcpy_big: (to: number, from: number, length: number) =>
        bytes().copyWithin(to, from, from + length),
      emscripten_resize_heap: (needed: number) => {
        const missing = needed - library.memory.buffer.byteLength;
        library.memory.grow(Math.ceil(missing / pageBytes));
        return true;
      },
    },
    wasi_snapshot_preview1: { fd_close: failed, fd_write: failed, fd_seek: failed },
  });
  const library = exports as unknown as Library;
  const bytes = () => new Uint8Array(library.memory.buffer);
  return library;
}

/** What bzip2 promises as the most that it makes of `length` bytes. */
const mostBytes = (length: number): number => Math.ceil(length * 1.01) + 600;

function allocate(library: Library, bytes: number): number {
  const pointer = library.malloc(bytes);
  if (pointer === 0) throw new Error("bzip2 has no memory left");
  return pointer;
}

/** A whole bzip2 stream. */
export function bzip2(data: Uint8Array): Uint8Array<ArrayBuffer> {
  loaded ??= load();
  const library = loaded;
  const room = mostBytes(data.length);
  const pointers = [data.length, room, 4].map((bytes) => allocate(library, bytes));
  const [source = 0, destination = 0, length = 0] = pointers;
  try {
    new Uint8Array(library.memory.buffer).set(data, source);
    new DataView(library.memory.buffer).setUint32(length, room, true);
    const status = library.BZ2_bzBuffToBuffCompress(
      destination,
      length,
      source,
      data.length,
      blockSize,
      0,
      workFactor,
    );
    if (status !== 0) throw new Error(`bzip2 failed with ${status}`);
    const written = new DataView(library.memory.buffer).getUint32(length, true);
    return new Uint8Array(library.memory.buffer.slice(destination, destination + written));
  } finally {
    for (const pointer of pointers) library.free(pointer);
  }
}
