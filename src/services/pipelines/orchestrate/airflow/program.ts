/** What starts this very program: the executable, or Bun with the source. */
import { join } from "node:path";

export const program: readonly string[] = Bun.isStandaloneExecutable
  ? [process.execPath]
  : [process.execPath, join(import.meta.dir, "../../../../main.ts")];
