/** `npm run bench`: every benchmark, one after the other, each in a process of its own. Ratios above 1: we are faster. */
import { cpus } from "node:os";
import { join } from "node:path";

const benchmarks = ["copy", "archives", "progress", "accounts", "logger", "messenger", "pipelines"].filter(
  (name, _, all) => !all.some((other) => process.argv.includes(other)) || process.argv.includes(name),
);

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Bun ${Bun.version}; medians of 5 pairs\n`,
);
for (const name of benchmarks)
  await Bun.spawn([process.execPath, join(import.meta.dir, `${name}.ts`)], {
    stdout: "inherit",
    stderr: "inherit",
  }).exited;
