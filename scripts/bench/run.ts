/** `npm run bench`: every benchmark, one after the other. Ratios above 1: we are faster. */
import { cpus } from "node:os";
import { benchCollect } from "./collect.ts";

console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, Bun ${Bun.version}; medians of 5 pairs\n`,
);
await benchCollect();
process.exit();
