/**
 * Builds `dist/quintet`: one executable with everything inside.
 *
 * Usage: bun scripts/build.ts [--outfile PATH] [--level N] [--entry FILE]
 *   --level   zstd level of what is carried: 19, or less to save time
 *   --entry   another program than src/main.ts, for tests of what is carried
 */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";

const root = join(import.meta.dir, "..");
const { values } = parseArgs({
  options: {
    outfile: { type: "string", default: join(root, "dist/quintet") },
    level: { type: "string", default: "19" },
    entry: { type: "string", default: "src/main.ts" },
  },
});
const outfile = resolve(values.outfile);

async function commitOf(): Promise<string> {
  if (!existsSync(join(root, ".git"))) return "unknown";
  const revision = await $`git rev-parse --short=12 HEAD`.cwd(root).quiet().nothrow().text();
  const changes = await $`git status --porcelain`.cwd(root).quiet().nothrow().text();
  return (revision.trim() || "unknown") + (changes.trim() === "" ? "" : "-modified");
}

const workers = [...new Bun.Glob("src/**/*.worker.ts").scanSync(root)].sort();
const options = [
  "--compile",
  "--bytecode",
  "--format=esm",
  "--sourcemap",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  // --minify would break Elysia's analysis of handlers.
  `--define=QUINTET_COMMIT="${await commitOf()}"`,
  // Native: unpacked and opened when it is first needed (services/pipelines/run/duckdb/load.ts).
  "--external=@duckdb/node-bindings",
  "--asset=./dist/assets",
  `--outfile=${outfile}`,
];

await $`${process.execPath} scripts/pack.ts --level ${values.level}`.cwd(root);
await $`${process.execPath} build ${options} ${values.entry} ${workers}`.cwd(root).quiet();
console.log(`${outfile}: ${(statSync(outfile).size / 2 ** 20).toFixed(1)} MiB`);
