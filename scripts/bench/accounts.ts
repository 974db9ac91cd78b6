/** An authenticated request against the least that answers the same bytes, and logins beside the latency of `/health`. */
import { join } from "node:path";
import { cpuSecondsOf, type Load, type LoadResult, load } from "./http-load.ts";
import { startBenchServer } from "./server.ts";

const rounds = 5;
const seconds = 2;
const connections = 64;

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Measured extends LoadResult {
  /** Microseconds of the server's CPU that a request took. */
  cpu: number;
}

async function measure(pid: number, options: Load): Promise<Measured> {
  const before = cpuSecondsOf(pid);
  const result = await load(options);
  const requests = Object.values(result.statuses).reduce((sum, count) => sum + count, 0);
  return { ...result, cpu: ((cpuSecondsOf(pid) - before) / requests) * 1e6 };
}

const server = await startBenchServer();
const post = async (path: string, body: object) =>
  (
    await fetch(`${server.url}/api/v1/auth/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    })
  ).json() as Promise<{ access_token: string }>;

const credentials = { username: "bench", password: "password" };
const { access_token } = await post("register", credentials);
const headers = { Authorization: `Bearer ${access_token}` };
const text = await (await fetch(`${server.url}/api/v1/users/me`, { headers })).text();
const bare = Bun.spawn([process.execPath, join(import.meta.dir, "bare-server.ts"), text], { stdout: "pipe" });
const { value } = await bare.stdout.getReader().read();
const bareUrl = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`;

const common = { path: "/api/v1/users/me", headers, connections, seconds };
const ours: Measured[] = [];
const theirs: Measured[] = [];
for (let round = 0; round <= rounds; round++) {
  const pair = [
    await measure(server.pid, { ...common, url: server.url }),
    await measure(bare.pid, { ...common, url: bareUrl }),
  ] as const;
  // The first round warms both and is thrown away.
  if (round === 0) continue;
  ours.push(pair[0]);
  theirs.push(pair[1]);
}
bare.kill();
const rates = (list: Measured[]) => median(list.map(({ requestsPerSecond }) => requestsPerSecond));
const cpu = (list: Measured[]) => median(list.map((each) => each.cpu)).toFixed(1);
const ratio = median(
  ours.map((each, round) => each.requestsPerSecond / (theirs[round]?.requestsPerSecond ?? 1)),
);
console.log(
  `GET /users/me, ${connections} connections      ours ${rates(ours).toFixed(0)}/s (${cpu(ours)} µs CPU), bare Bun.serve ${rates(theirs).toFixed(0)}/s (${cpu(theirs)} µs CPU), ratio ${ratio.toFixed(2)}`,
);

const health: number[] = [];
let over = false;
const watch = async () => {
  while (!over) {
    const start = performance.now();
    await (await fetch(`${server.url}/health`)).text();
    health.push(performance.now() - start);
    await Bun.sleep(10);
  }
};
const watching = watch();
const logins = await load({
  url: server.url,
  path: "/api/v1/auth/login",
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(credentials),
  connections: 200,
  seconds: 10,
});
over = true;
await watching;
const sorted = health.toSorted((a, b) => a - b);
const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);
console.log(
  `logins, 200 at once                ${logins.requestsPerSecond.toFixed(1)}/s ${JSON.stringify(logins.statuses)}; GET /health meanwhile: median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${sorted.at(-1)?.toFixed(1)} ms`,
);
await server.stop();
process.exit();
