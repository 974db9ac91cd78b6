import { accessSync, constants, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flockExclusive } from "./linux/lock.ts";
import { reasonOf, StartupError } from "./telemetry/startup-error.ts";

/** A data directory that this process alone works on. */
export interface HeldDirectory {
  path: string;
  release(): void;
}

/**
 * Makes the data directory and takes its lock, which the kernel gives back however this process ends. Throws StartupError
 * when it cannot be written or another server works on it.
 */
export function holdDataDirectory(path: string): HeldDirectory {
  try {
    // As root, PostgreSQL's own user has to pass through; what is secret below is closed by itself.
    mkdirSync(path, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    if (!statSync(path).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartupError(`cannot write to the data directory ${path}: ${reasonOf(error)}`);
  }
  const file = join(path, "lock");
  const lock = flockExclusive(file);
  if (!lock)
    throw new StartupError(`the data directory ${path} is in use by another server${holderOf(file)}`);
  writeFileSync(file, `${process.pid}\n`);
  return { path, release: () => lock.release() };
}

function holderOf(file: string): string {
  const pid = readFileSync(file, "utf8").trim();
  return pid === "" ? "" : ` (process ${pid})`;
}
