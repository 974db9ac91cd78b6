/** One running PostgreSQL server: our own child, or one that a killed predecessor left behind. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";
import { clusterDirectory, complaintOf } from "./cluster.ts";
import type { Confinement } from "./confinement.ts";

export interface Postmaster {
  pid: number;
  /** Left by a predecessor and taken over rather than started. */
  adopted: boolean;
  /** Settles when it is gone, whatever the reason. */
  exited: Promise<void>;
}

/** Where the server listens; both name the same directory, the second as PostgreSQL sees it. */
export interface SocketDirectory {
  path: string;
  inside: string;
}

const pollMilliseconds = 5;
const startLimitMilliseconds = 60_000;
/** Children of a killed server notice within moments that it is gone. */
const orphanLimitMilliseconds = 10_000;
const orphanPollMilliseconds = 50;

/** Settings that differ from PostgreSQL's defaults. Durability (fsync, synchronous_commit) stays as it is: on. */
function settings(home: string, socket: SocketDirectory): string[] {
  const values: Record<string, string> = {
    listen_addresses: "",
    unix_socket_directories: socket.inside,
    unix_socket_permissions: "0700",
    cluster_name: "quintet",
    timezone: "UTC",
    log_timezone: "UTC",
    jit: "off",
    // The log outlives the server, so that an adopted database still has one; seven files, one a weekday.
    logging_collector: "on",
    log_directory: join(home, "log"),
    log_filename: "postgresql-%a.log",
    log_rotation_age: "1d",
    log_rotation_size: "0",
    log_truncate_on_rotation: "on",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function readPidFile(home: string): { pid: number; ready: boolean } | null {
  try {
    const lines = readFileSync(join(clusterDirectory(home), "postmaster.pid"), "utf8").split("\n");
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === "ready" };
  } catch {
    return null;
  }
}

function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    // Gone meanwhile, or another user's.
    return false;
  }
}

/** Whether the process is a server of this very cluster: told by its working directory, whatever it is called. */
const serves = (pid: number, home: string): boolean =>
  isSameFile(`/proc/${pid}/cwd/`, clusterDirectory(home));

/** Whether the server runs this very program file. */
export const runs = (postmaster: Postmaster, program: string): boolean =>
  isSameFile(`/proc/${postmaster.pid}/exe`, program);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A zombie counts as gone: nobody may ever collect it. */
async function untilGone(pid: number, home: string): Promise<void> {
  while (serves(pid, home)) await Bun.sleep(100);
}

/** Processes that work in the cluster, by their working directory: a server and its children, also orphaned ones. */
function* workersOf(home: string): Generator<number> {
  for (const name of readdirSync("/proc"))
    if (/^\d+$/.test(name) && serves(Number(name), home)) yield Number(name);
}

/**
 * Finds a server that still runs on the cluster. When the last one was killed, its lock files are removed once its orphaned children are
 * gone too: their process id may be a zombie's or somebody else's by now, and PostgreSQL would refuse to start over them.
 */
export async function findPostmaster(home: string, socketPath: string): Promise<Postmaster | null> {
  const left = readPidFile(home);
  if (!left) return null;
  if (serves(left.pid, home)) return { pid: left.pid, adopted: true, exited: untilGone(left.pid, home) };
  for (let waited = 0; waited < orphanLimitMilliseconds; waited += orphanPollMilliseconds) {
    if (workersOf(home).next().done) return removeLocks(home, socketPath);
    await Bun.sleep(orphanPollMilliseconds);
  }
  throw new StartupError(
    `processes of a PostgreSQL that was killed still work in ${clusterDirectory(home)}: end them first`,
  );
}

function removeLocks(home: string, socketPath: string): null {
  rmSync(join(clusterDirectory(home), "postmaster.pid"), { force: true });
  for (const name of readdirSync(socketPath)) if (name.endsWith(".lock")) rmSync(join(socketPath, name));
  return null;
}

/** Starts a server and waits until it takes connections. Throws StartupError with PostgreSQL's own reason when it ends. */
export async function startPostmaster(
  home: string,
  socket: SocketDirectory,
  confinement: Confinement,
): Promise<Postmaster> {
  const inside = confinement.paths.home;
  const child = confinement.spawn(
    "postgres",
    ["-D", clusterDirectory(inside), ...settings(inside, socket)],
    "pipe",
  );
  const complaint = new Response(child.stderr as ReadableStream).text();
  const postmaster = { pid: child.pid, adopted: false, exited: child.exited.then(() => {}) };
  child.unref();
  try {
    await untilReady(postmaster, home);
  } catch {
    throw new StartupError(`PostgreSQL does not start: ${startComplaint(await complaint, home)}`);
  }
  return postmaster;
}

/** Waits until the server says in its lock file that it is ready. Throws when it ends before, or within a minute does not. */
export async function untilReady(postmaster: Postmaster, home: string): Promise<void> {
  let gone = false;
  void postmaster.exited.then(() => {
    gone = true;
  });
  for (let waited = 0; waited < startLimitMilliseconds; waited += pollMilliseconds) {
    const file = readPidFile(home);
    if (file?.pid === postmaster.pid && file.ready) return;
    if (gone) throw new Error("PostgreSQL ended while starting");
    await Bun.sleep(pollMilliseconds);
  }
  process.kill(postmaster.pid, "SIGQUIT");
  throw new Error("PostgreSQL did not become ready within a minute");
}

/** What PostgreSQL said before its log collector took over, else the last complaint of its log. */
function startComplaint(said: string, home: string): string {
  if (/FATAL|PANIC/.test(said)) return complaintOf(said);
  const day = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" }).format(new Date());
  try {
    const log = readFileSync(join(home, "log", `postgresql-${day}.log`), "utf8").split("\n");
    return complaintOf(log.findLast((line) => /FATAL|PANIC/.test(line)) ?? said);
  } catch {
    return complaintOf(said);
  }
}

/** Stops a server: clean (`SIGINT`, clients are disconnected), and after 30 s at once, to be recovered at the next start. */
export async function stopPostmaster(postmaster: Postmaster): Promise<void> {
  if (!isAlive(postmaster.pid)) return;
  process.kill(postmaster.pid, "SIGINT");
  const late = Bun.sleep(30_000).then(() => "late" as const);
  if ((await Promise.race([postmaster.exited, late])) === "late" && isAlive(postmaster.pid)) {
    process.kill(postmaster.pid, "SIGQUIT");
    await postmaster.exited;
  }
}
