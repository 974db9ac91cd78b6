/** Directories that runs work in, below the data directory. Each has the process in its name, so that what a process left that was killed can be told from what others work with. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = (dataDirectory: string): string => join(dataDirectory, "pipelines");

/** The path of a directory of this process; it is not made. `name` may lie one directory deep. */
export const workDirectory = (dataDirectory: string, name: string): string =>
  join(root(dataDirectory), `${name}.${process.pid}`);

/** Removes what ended processes left, or this one's namesake. To be called before this one works here. */
export function removeAbandoned(dataDirectory: string): void {
  for (const directory of [root(dataDirectory), join(root(dataDirectory), "runs")])
    for (const name of namesIn(directory))
      if (isAbandoned(name)) rmSync(join(directory, name), { recursive: true, force: true });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isAbandoned(name: string): boolean {
  const pid = Number(/\.(\d+)$/.exec(name)?.[1] ?? Number.NaN);
  if (Number.isNaN(pid)) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
