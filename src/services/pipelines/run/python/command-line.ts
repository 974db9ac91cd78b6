/** The command line that a program runs under: another user where we are root, namespaces by bubblewrap, limits by prlimit. */
import { readFileSync } from "node:fs";

/** What one run may use. Where a limit is met the run fails with a message that names it. */
export interface PythonLimits {
  /** By the clock. */
  seconds: number;
  /** Of the processor. */
  cpuSeconds: number;
  /** Address space, with the interpreter and its libraries, which take about 400 MB of it. */
  memoryBytes: number;
  /** The largest file that may be written, thus the largest result. */
  fileBytes: number;
  openFiles: number;
  threads: number;
}

/** Of the sandbox's own /tmp, which is memory. */
const temporaryBytes = 256 << 20;
/** Between the warning (SIGXCPU) and the end (SIGKILL). */
const cpuGraceSeconds = 2;
const nobody = 65534;
/** What systemd's documentation of users keeps free for nobody: 0x70000000 to 0x7FFFFFFF. */
const firstSpareUser = 0x70000000;
const spareUsers = 0x0fff_ffff;

/** The file descriptor that bubblewrap reads the filter of system calls from. */
export const filterDescriptor = 3;

export const python = "/usr/bin/python3";
/** Also all that bubblewrap itself gets to know of our environment: it can be read inside as /proc/1/environ. */
export const environment = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" };

function spareUser(): number {
  const user = firstSpareUser + Math.floor(Math.random() * spareUsers);
  const ranges = readFileSync("/proc/self/uid_map", "utf8").trim().split("\n");
  const isMapped = ranges.some((line) => {
    const [inside = 0, , length = 0] = line.trim().split(/\s+/).map(Number);
    return user >= inside && user < inside + length;
  });
  return isMapped ? user : nobody;
}

/** Limits on processes do not hold for root: each run gets a user of its own, who owns nothing and runs nothing else. */
function otherUser(): string[] {
  if (process.getuid?.() !== 0) return [];
  const user = String(spareUser());
  return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"];
}

const namespaces = [
  ...["--unshare-all", "--unshare-user", "--uid", String(nobody), "--gid", String(nobody)],
  ...["--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--disable-userns"],
  ...["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"],
  ...["--symlink", "usr/lib64", "/lib64", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives"],
  ...["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc", "--dev", "/dev"],
  ...["--size", String(temporaryBytes), "--tmpfs", "/tmp", "--chdir", "/tmp"],
  // /dev is memory too, and without a limit of its size.
  ...["--remount-ro", "/dev", "--remount-ro", "/"],
  ...[
    "--clearenv",
    "--setenv",
    "PATH",
    "/usr/bin",
    "--setenv",
    "LANG",
    "C.UTF-8",
    "--setenv",
    "HOME",
    "/tmp",
  ],
  ...["--setenv", "OPENBLAS_NUM_THREADS", "1", "--setenv", "OMP_NUM_THREADS", "1"],
  ...["--seccomp", String(filterDescriptor)],
];

/**
 * The command that runs a Python program's text in the sandbox: no network, no file of the machine but /usr, a /tmp of its own, no new processes.
 * It shares with us only the descriptors 0 to 2.
 */
export function commandLine(program: string, limits: PythonLimits): string[] {
  const { cpuSeconds, memoryBytes, fileBytes, openFiles, threads } = limits;
  return [
    ...otherUser(),
    ...["bwrap", ...namespaces, "--"],
    ...["/usr/bin/prlimit", `--cpu=${cpuSeconds}:${cpuSeconds + cpuGraceSeconds}`, `--as=${memoryBytes}`],
    // Inside, because there a user's other processes do not count (Linux 5.14).
    ...[`--fsize=${fileBytes}`, `--nofile=${openFiles}`, `--nproc=${threads}`, "--core=0", "--"],
    ...[python, "-I", "-B", "-c", program],
  ];
}
