/**
 * DuckDB, loaded when it is first needed. Its two native files are in the executable, packed: the first use of all unpacks them into the data directory (half a
 * second, 70 MB), the first use of a process opens them (50 ms), and who never uses it pays nothing.
 */
import { join } from "node:path";
import { unpackOnDemand } from "../../../../platform/assets/assets.ts";

export type DuckDb = typeof import("@duckdb/node-api");

/** DuckDB cannot be had on this machine; the message says why. */
export class DuckDbUnavailable extends Error {
  override readonly name = "DuckDbUnavailable";
}

let loaded: Promise<DuckDb> | null = null;

/**
 * The library, once per process. `dataDirectory` is where its files are unpacked, by the executable only. Throws DuckDbUnavailable when the disk is full, forbids
 * programs (`noexec`) or a system library is missing; the next call tries again.
 */
export function loadDuckDb(dataDirectory: string): Promise<DuckDb> {
  loaded ??= load(dataDirectory).catch((cause: unknown) => {
    loaded = null;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DuckDbUnavailable(`DuckDB cannot be loaded: ${reason}`, { cause });
  });
  return loaded;
}

async function load(dataDirectory: string): Promise<DuckDb> {
  if (Bun.isStandaloneExecutable) provideBindings(await unpackOnDemand(dataDirectory, "duckdb"));
  return await import("@duckdb/node-api");
}

/** The build leaves `@duckdb/node-bindings` out, because it would carry only one of the two files: here it is put in its place. */
function provideBindings(directory: string): void {
  const bindings = { exports: {} };
  process.dlopen(bindings, join(directory, "duckdb.node"));
  Bun.plugin({
    name: "duckdb",
    setup(build) {
      build.module("@duckdb/node-bindings", () => ({
        exports: { default: bindings.exports },
        loader: "object",
      }));
    },
  });
}
