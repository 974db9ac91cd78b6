/**
 * The server cannot start for a reason that its administrator can mend. Printed as one line, without a stack trace;
 * the exit status is 1.
 */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** What is at the bottom of an error: a failed query, for one, wraps the reason in its SQL and parameters. */
export function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? rootCause(error.cause) : error;
}

/** The reason of a system error in words ("No space left on device"), else its message in one line. */
export function reasonOf(thrown: unknown): string {
  const error = rootCause(thrown);
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return systemReasons[code] ?? (error.message.split("\n")[0] || code || error.name);
}

const systemReasons: Record<string, string> = {
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EROFS: "Read-only file system",
  ENOSPC: "No space left on device",
  EDQUOT: "Disk quota exceeded",
  ENOTDIR: "Not a directory",
  ENOENT: "No such file or directory",
  ECONNREFUSED: "Connection refused",
  ENOTFOUND: "Host not found",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Address not available",
};
