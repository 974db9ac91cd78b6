import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";
import type { Confinement } from "./confinement.ts";
import type { SystemUser } from "./owner.ts";
import type { SocketDirectory } from "./postmaster.ts";

/** A UNIX socket's path may hold 107 bytes (sun_path less its NUL). */
const longestSocketPath = 107;
const socketName = ".s.PGSQL.5432";

const fits = (directory: string): boolean =>
  Buffer.byteLength(join(directory, socketName)) <= longestSocketPath;

/**
 * Makes the directory of the database's socket, open to its owner alone: `<home>/run`, or, where that path is too long for a
 * socket, a short one of the same cluster in the system's run directory. Throws StartupError when a short one is somebody else's.
 */
export function makeSocketDirectory(
  home: string,
  confinement: Confinement,
  owner: SystemUser | null,
): SocketDirectory {
  const own = { path: join(home, "run"), inside: join(confinement.paths.home, "run") };
  const socket = fits(own.path) && fits(own.inside) ? own : shortDirectory(home);
  mkdirSync(socket.path, { recursive: true, mode: 0o700 });
  if (owner) chownSync(socket.path, owner.uid, owner.gid);
  const found = lstatSync(socket.path);
  if (!found.isDirectory() || found.uid !== (owner?.uid ?? process.getuid?.()))
    throw new StartupError(`${socket.path} belongs to somebody else: remove it or choose a shorter --data`);
  chmodSync(socket.path, 0o700);
  return socket;
}

function shortDirectory(home: string): SocketDirectory {
  const base = process.getuid?.() === 0 && existsSync("/run") ? "/run" : "/tmp";
  const path = join(base, `quintet-${createHash("sha256").update(home).digest("hex").slice(0, 12)}-run`);
  return { path, inside: path };
}
