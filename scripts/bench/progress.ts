/** What watching costs: a collection with 20 progress sockets against one with none, and `GET /progress` while it runs. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { benchDirectory, makeDataSet } from "./measure.ts";
import { startBenchServer } from "./server.ts";

const watchers = 20;
const pairs = 5;
const source = makeDataSet("small");
const server = await startBenchServer();

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Run {
  seconds: number;
  frames: number;
  requestsPerSecond: number;
}

async function collect(target: string, watched: boolean, asked: boolean): Promise<Run> {
  Bun.spawnSync(["sync"]);
  const start = performance.now();
  const response = await fetch(`${server.url}/api/v1/collect`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ source_paths: [source], target_path: target, collect_system_info: false }),
  });
  const { job_id } = (await response.json()) as { job_id: string };
  let frames = 0;
  const sockets = Array.from({ length: watched ? watchers : 0 }, () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/ws/progress/${job_id}`);
    socket.onmessage = () => frames++;
    return socket;
  });
  let requests = 0;
  let over = false;
  const ask = async () => {
    while (!over) {
      await (await fetch(`${server.url}/api/v1/progress/${job_id}`)).text();
      requests++;
    }
  };
  const asking = Promise.all(Array.from({ length: asked ? 16 : 0 }, ask));
  while ((await fetch(`${server.url}/api/v1/result/${job_id}`)).status === 202) await Bun.sleep(20);
  over = true;
  const seconds = (performance.now() - start) / 1000;
  await asking;
  for (const socket of sockets) socket.close();
  return { seconds, frames, requestsPerSecond: requests / seconds };
}

const root = join(benchDirectory, `progress-${process.pid}`);
const [off, on, asked]: Run[][] = [[], [], []];
for (let pair = 0; pair <= pairs; pair++) {
  const runs = [
    await collect(join(root, `off-${pair}`), false, false),
    await collect(join(root, `on-${pair}`), true, false),
    await collect(join(root, `asked-${pair}`), false, true),
  ];
  if (pair > 0) for (const [index, list] of [off, on, asked].entries()) list?.push(runs[index] as Run);
}
const ratio = median((on ?? []).map(({ seconds }, pair) => seconds / (off?.[pair]?.seconds ?? 1)));
console.log(
  `progress, small: 20,000 × 8 KiB      nobody watches ${median((off ?? []).map((run) => run.seconds)).toFixed(2)} s, ${watchers} watch ${median((on ?? []).map((run) => run.seconds)).toFixed(2)} s (${median((on ?? []).map((run) => run.frames))} frames), ratio ${ratio.toFixed(2)}`,
);
console.log(
  `  GET /progress during a job, 16 at once: ${median((asked ?? []).map((run) => run.requestsPerSecond)).toFixed(0)} requests/s`,
);
await server.stop();
rmSync(root, { recursive: true, force: true });
process.exit();
