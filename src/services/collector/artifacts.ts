/**
 * What a job makes beside the collected files: pc_info.json, the archive, the manifest. Each is written in the work directory and
 * then placed in the target under a name that is free. Taken up after a crash, what was placed stays the one and only.
 */
import { readFileSync, statSync } from "node:fs";
import { mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { numberedName } from "./collect/names.ts";
import { placeFile } from "./collect/place.ts";

/** What is known of an artifact that is about to be placed, or was: the file is found again by its inode. */
interface Placement {
  inode: number;
  device: number;
}

/** How many numbered names are looked at to find a placed file again. */
const mostNumbers = 10_000;

export class Artifacts {
  private readonly work: string;
  private readonly target: string;
  private readonly state: Record<string, Placement>;

  /** `work` is the job's work directory; it and `target` lie in one file system. */
  constructor(work: string, target: string) {
    this.work = work;
    this.target = target;
    this.state = readState(join(work, "artifacts.json"));
  }

  /** Path of the artifact `name` in the target, written by `write` unless an earlier run placed it. */
  async make(name: string, write: (path: string) => Promise<void>): Promise<string> {
    const placed = this.find(name);
    if (placed) return placed;
    const whole = join(this.work, `artifact-${name}`);
    if (!statSync(whole, { throwIfNoEntry: false })) {
      // A directory of its own, because writers put helper files beside theirs: a run that was killed leaves nothing to stumble over.
      const attempt = join(this.work, `partial-${name}`);
      await rm(attempt, { recursive: true, force: true });
      await mkdir(attempt);
      const partial = join(attempt, name);
      await write(partial);
      await makeDurable(partial);
      await rename(partial, whole);
      await rm(attempt, { recursive: true });
    }
    const { ino: inode, dev: device } = await stat(whole);
    this.state[name] = { inode, device };
    await writeState(join(this.work, "artifacts.json"), this.state);
    const path = placeFile(whole, this.target, name);
    await makeDurable(this.target);
    return path;
  }

  /** Where an earlier run placed an artifact, if it did. */
  private find(name: string): string | null {
    const known = this.state[name];
    if (!known || statSync(join(this.work, `artifact-${name}`), { throwIfNoEntry: false })) return null;
    for (let number = 1; number <= mostNumbers; number++) {
      const path = join(this.target, numberedName(Buffer.from(name), number).toString());
      const found = statSync(path, { throwIfNoEntry: false });
      if (!found) return null;
      if (found.ino === known.inode && found.dev === known.device) return path;
    }
    return null;
  }
}

function readState(path: string): Record<string, Placement> {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, Placement>;
  } catch {
    return {};
  }
}

/** All of it or nothing: a reader after a crash finds the old state or the new one. */
async function writeState(path: string, state: Record<string, Placement>): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

/** Returns once a file's content, or a directory's names, would survive a power cut. */
async function makeDurable(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
