import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";

/** An unprivileged user of the system. */
export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

function readUsers(): SystemUser[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= 4)
    .map((fields) => ({ name: fields[0] ?? "", uid: Number(fields[2]), gid: Number(fields[3]) }));
}

/**
 * PostgreSQL refuses to run as root: answers the user it runs as instead, or null when this process is not root and
 * PostgreSQL simply runs as the same user. The owner of an existing `cluster` directory stays its owner; a new one goes to
 * the user `quintet` where that exists, else to `nobody`. initdb needs a user with an entry in /etc/passwd.
 */
export function databaseOwner(cluster: string): SystemUser | null {
  if (process.getuid?.() !== 0) return null;
  const users = readUsers();
  const existing = statSync(cluster, { throwIfNoEntry: false });
  const owner =
    (existing && existing.uid !== 0 && users.find((user) => user.uid === existing.uid)) ||
    users.find((user) => user.name === "quintet" && user.uid !== 0) ||
    users.find((user) => user.name === "nobody" && user.uid !== 0);
  if (!owner)
    throw new StartupError(
      "PostgreSQL may not run as root, and there is no user quintet or nobody to run it as",
    );
  return owner;
}

/** Whether `user` may pass through every directory from the root to `path` by its mode bits. */
export function isReachable(path: string, user: SystemUser): boolean {
  for (let directory = path; ; directory = dirname(directory)) {
    const { mode, uid, gid } = statSync(directory);
    const search = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & search) === 0) return false;
    if (directory === "/") return true;
  }
}
