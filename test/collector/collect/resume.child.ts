/** A collection in a process of its own, for tests that kill it, without its end. Arguments: options as JSON. */
import { collectFiles } from "../../../src/services/collector/collect/collect.ts";
import { removeSources } from "../../../src/services/collector/collect/removal-phase.ts";

const options = JSON.parse(process.argv[2] ?? "");
const run = {
  signal: new AbortController().signal,
  onProgress: ({ current }: { current: number }) => console.log(current),
};
const collected = await collectFiles(options, run);
await removeSources(options, collected, run);
if (collected.failedFiles > 0) {
  for await (const records of collected.records()) {
    for (const { reason, source } of records) if (reason !== undefined) console.error(`${source}: ${reason}`);
  }
}
console.log(`done ${collected.totalFiles} ${collected.processedFiles}`);
