/** `npm run bench`: every benchmark, one after the other. Ratios above 1: we are faster. */
import { cpus } from "node:os";
import { join } from "node:path";
import { benchZip } from "./zip.ts";

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Bun ${Bun.version}; medians of 5 pairs\n`,
);
// In a process of its own, because it takes its peers' memory and CPU time by child process.
await Bun.spawn([process.execPath, join(import.meta.dir, "copy.ts"), ...process.argv.slice(2)], {
  stdout: "inherit",
  stderr: "inherit",
}).exited;
await benchZip();
process.exit();
