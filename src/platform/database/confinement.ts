/**
 * How PostgreSQL's programs are started: as this user, or, when the server is root, as an unprivileged one. A data directory
 * below one that only root may enter (`/root`, `mktemp -d`) is shown to that user in a mount namespace of its own, so
 * that nobody's permissions have to be widened.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";
import { isReachable, type SystemUser } from "./owner.ts";

/** The directories of the embedded database as this process names them. */
export interface ClusterPaths {
  /** Unpacked PostgreSQL: bin, lib, share. */
  programs: string;
  /** `<data>/postgres`: the cluster, its log and, where the path is short enough, its socket. */
  home: string;
}

/** A way to start PostgreSQL's programs, with the paths as they will see them. */
export interface Confinement {
  paths: ClusterPaths;
  spawn(
    program: string,
    args: string[],
    stderr: "pipe" | "ignore",
  ): Bun.Subprocess<"ignore", "ignore", "pipe" | "ignore">;
  /** Removes what the confinement itself needed; call it once nothing runs in it. */
  release(): void;
}

/** A clean environment: nothing of the server's own (secrets, BUN_BE_BUN) reaches the database. */
const environment = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" };

/** A session of its own, so that Ctrl-C in the terminal stops the server first and the database after it. */
const common = { env: environment, stdin: "ignore", stdout: "ignore", cwd: "/", detached: true } as const;

/** Starts programs as this process's user, or as `user` when all their directories are within its reach. */
function direct(paths: ClusterPaths, user: SystemUser | null): Confinement {
  const identity = user ? { uid: user.uid, gid: user.gid } : {};
  return {
    paths,
    spawn: (program, args, stderr) =>
      Bun.spawn([join(paths.programs, "bin", program), ...args], { ...common, ...identity, stderr }),
    release() {},
  };
}

/** Binds the two directories to a place of their own in a new mount namespace, drops to `user`, and becomes the program. */
const enter = `
  mount --bind "$1" "$2/programs" && mount --bind "$3" "$2/home" || exit 71
  uid=$4 gid=$5; shift 5
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs "$@"`;

function inNamespace(real: ClusterPaths, user: SystemUser): Confinement {
  const missing = ["unshare", "mount", "setpriv"].find((tool) => Bun.which(tool, environment) === null);
  if (missing)
    throw new StartupError(
      `user ${user.name} cannot reach ${real.home} and "${missing}" is missing: choose another --data`,
    );
  const base = existsSync("/run") ? "/run" : "/tmp";
  const place = join(base, `quintet-${createHash("sha256").update(real.home).digest("hex").slice(0, 12)}`);
  const paths = { programs: join(place, "programs"), home: join(place, "home") };
  for (const path of [paths.programs, paths.home]) mkdirSync(path, { recursive: true, mode: 0o755 });
  const prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, "sh"];
  const where = [real.programs, place, real.home, String(user.uid), String(user.gid)];
  return {
    paths,
    spawn: (program, args, stderr) =>
      Bun.spawn([...prefix, ...where, join(paths.programs, "bin", program), ...args], { ...common, stderr }),
    release() {
      for (const path of [paths.programs, paths.home, place]) rmdirSync(path);
    },
  };
}

/** Chooses how `user` (null: this process's own) runs the programs that live in `paths`. */
export function confine(paths: ClusterPaths, user: SystemUser | null): Confinement {
  if (!user || (isReachable(paths.home, user) && isReachable(paths.programs, user)))
    return direct(paths, user);
  return inNamespace(paths, user);
}
