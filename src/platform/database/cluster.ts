/** The files of the embedded database: made once by initdb, of one major version, owned by the user that runs it. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";
import type { Confinement } from "./confinement.ts";
import type { SystemUser } from "./owner.ts";

/** Major version of the PostgreSQL that the executable carries. */
export const carriedMajor = 18;

/** The cluster's directory below `home`, by major version, so that an upgrade can stand beside it. */
export const clusterDirectory = (home: string): string => join(home, String(carriedMajor));

/** Makes `home` and gives it to `owner`. Refuses a cluster of another major version or of another user. */
export function prepareHome(home: string, owner: SystemUser | null): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (owner) chownSync(home, owner.uid, owner.gid);
  chmodSync(home, 0o700);
  refuseOtherVersions(home);
  const cluster = statSync(clusterDirectory(home), { throwIfNoEntry: false });
  if (!owner && cluster && cluster.uid !== process.getuid?.())
    throw new StartupError(
      `${home} belongs to the user with id ${cluster.uid}: start quintet as that user or as root`,
    );
}

function refuseOtherVersions(home: string): void {
  const made = readdirSync(home).filter((name) => /^\d+$/.test(name));
  const version = join(clusterDirectory(home), "PG_VERSION");
  const found = existsSync(version) ? readFileSync(version, "utf8").trim() : made[0];
  if (found !== undefined && found !== String(carriedMajor))
    throw new StartupError(
      `${home} was made by PostgreSQL ${found}, this program carries ${carriedMajor}: dump it with the program that made it and restore it here`,
    );
}

/** Letters of every alphabet have their cases, and texts are ordered by code point, on every system alike. */
const unicode = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];

/** Runs initdb; answers what it complained of, null when it was content. */
async function initialise(
  inside: string,
  locale: string[],
  confinement: Confinement,
): Promise<string | null> {
  const options = ["-U", "postgres", "-E", "UTF8", "--auth-local=trust", "--auth-host=reject"];
  const child = confinement.spawn(
    "initdb",
    ["-D", inside, ...options, ...locale, "--no-sync", "--no-instructions"],
    "pipe",
  );
  const complaint = await new Response(child.stderr as ReadableStream).text();
  return (await child.exited) === 0 ? null : complaint;
}

/** Makes the cluster when there is none. A cluster appears under its name only when it is whole and on the disk. */
export async function createCluster(home: string, confinement: Confinement): Promise<boolean> {
  if (existsSync(clusterDirectory(home))) return false;
  const partial = `${clusterDirectory(home)}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const inside = `${clusterDirectory(confinement.paths.home)}.partial`;
  let complaint = await initialise(inside, [...unicode, "--lc-ctype=C.UTF-8"], confinement);
  if (complaint !== null) {
    // A system without the C.UTF-8 of its own: texts compare just as well, the index of words then knows Latin letters alone.
    rmSync(partial, { recursive: true, force: true });
    complaint = await initialise(inside, unicode, confinement);
  }
  if (complaint !== null) {
    rmSync(partial, { recursive: true, force: true });
    throw new StartupError(`cannot make the database in ${home}: ${complaintOf(complaint)}`);
  }
  await Bun.spawn(["sync", "-f", partial], { stdout: "ignore", stderr: "ignore" }).exited;
  renameSync(partial, clusterDirectory(home));
  return true;
}

/** The line of PostgreSQL's output that says what is wrong, without its prefix. */
export function complaintOf(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const line =
    lines.find((text) => /\b(FATAL|PANIC|ERROR|error):/.test(text)) ?? lines[0] ?? "no reason given";
  return line.replace(/^.*?\b(FATAL|PANIC|ERROR|error):\s*/, "").trim();
}
