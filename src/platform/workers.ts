import { join } from "node:path";

/**
 * Where a Worker's program is, to be given to `new Worker`. `path` is that of its file below `src`, without the ending: the compiled
 * executable keeps Workers, which are entry points of the build, under the same paths, but modules there no longer know where they came from.
 */
export function workerUrl(path: string): string {
  return Bun.isStandaloneExecutable
    ? `${import.meta.dir}/${path}.js`
    : join(import.meta.dir, "..", `${path}.ts`);
}
