/** The directory in which Airflow looks for DAG files. Ours alone are touched there, and one installation at a time keeps its own in it. */
import { accessSync, constants, mkdirSync } from "node:fs";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf, StartupError } from "../../../../platform/telemetry/startup-error.ts";
import { isDagFile } from "./names.ts";

/** Airflow reads `*.py` alone. */
const isLeftover = (name: string): boolean => /^\.ai_etl_.*\.tmp$/.test(name);

export class DagsDirectory {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes it. Throws StartupError when it cannot be written. */
  prepare(): void {
    try {
      mkdirSync(this.path, { recursive: true });
      accessSync(this.path, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new StartupError(`AIRFLOW_DAGS_DIR: cannot write to ${this.path}: ${reasonOf(error)}`);
    }
  }

  /** Has these DAG files there, by name, and no others of ours; what is the same already is not touched. Airflow sees each either whole or not at all. */
  async replaceAll(files: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, text] of files) if ((await this.read(name)) !== text) await this.write(name, text);
    for (const name of await readdir(this.path))
      if (isLeftover(name) || (isDagFile(name) && !files.has(name))) await rm(join(this.path, name));
  }

  private async read(name: string): Promise<string | null> {
    return await readFile(join(this.path, name), "utf8").catch(() => null);
  }

  private async write(name: string, text: string): Promise<void> {
    const temporary = join(this.path, `.${name}.tmp`);
    const file = await open(temporary, "w", 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.path, name));
    const directory = await open(this.path, "r");
    await directory.sync().finally(() => directory.close());
  }
}
