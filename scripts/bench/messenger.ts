/**
 * The Messenger: messages from an HTTP request over the commit to the receiver's frame, status events told to everybody beside Node's `ws`, memory of sockets that
 * are silent. All in one run, on one machine that carries the load too. Usage: bun scripts/bench/messenger.ts [routed] [fanout] [idle]
 */
import { join } from "node:path";
import { load } from "./http-load.ts";
import { makePeople, type Person } from "./messenger-people.ts";
import { cpuOfAll, memoryOf } from "./processes.ts";
import { type BenchServer, startBenchServer } from "./server.ts";

const rounds = 5;
const seconds = 4;
const senders = 32;
const secret = "the secret of a benchmark, long enough";
const parts = process.argv.slice(2);
const isWanted = (part: string) => parts.length === 0 || parts.includes(part);

const sortedAt = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
const median = (values: number[]): number => sortedAt(values, 0.5);

/** Opens a socket and waits until the server has taken it in. */
function connect(url: string, onMessage: (text: string) => void): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    socket.onopen = () => resolve(socket);
    socket.onmessage = ({ data }) => onMessage(String(data));
  });
}

const liveUrl = (server: BenchServer, { id, token }: Person) =>
  `${server.url.replace("http", "ws")}/ws/${id}?token=${token}`;

const text = "Урок литературы перенесён на вторник, кабинет 204";

/** Messages a second that arrive at their receivers, with `people` connected. */
async function benchRouted(server: BenchServer, people: Person[]): Promise<void> {
  const latencies: number[] = [];
  const sockets = await Promise.all(
    people.map((person) =>
      connect(liveUrl(server, person), (frame) => {
        const stamp = /"content":"(\d+\.\d+) /.exec(frame)?.[1];
        if (stamp !== undefined) latencies.push(performance.now() - Number(stamp));
      }),
    ),
  );
  await Bun.sleep(1_000);
  const rates: number[] = [];
  let cpu = 0;
  let total = 0;
  for (let round = 0; round <= rounds; round++) {
    const before = cpuOfAll(server);
    if (round === 1) latencies.length = 0;
    const result = await load({
      url: server.url,
      path: "/messages/",
      method: "POST",
      connections: senders,
      seconds,
      each(n) {
        const from = people[n % people.length] as Person;
        const to = people[(n * 7 + 1) % people.length] as Person;
        return {
          headers: { "Content-Type": "application/json", Authorization: `Bearer ${from.token}` },
          body: JSON.stringify({
            receiver_id: to.id,
            content: `${performance.now().toFixed(3)} ${text}`,
            message_type: "text",
          }),
        };
      },
    });
    await Bun.sleep(200);
    if (round === 0) continue;
    rates.push(result.requestsPerSecond);
    cpu += cpuOfAll(server) - before;
    total += result.statuses["201"] ?? 0;
  }
  for (const socket of sockets) socket.close();
  const lost = total - latencies.length;
  console.log(
    `routed, ${String(people.length).padStart(5)} people connected    ${median(rates).toFixed(0)} messages/s from request to frame, p50 ${sortedAt(latencies, 0.5).toFixed(1)} ms, p99 ${sortedAt(latencies, 0.99).toFixed(1)} ms, ${((cpu / total) * 1e6).toFixed(0)} µs CPU each (server and database), ${lost} lost`,
  );
}

interface FanOut {
  command: string[];
  tell(events: number): Promise<number>;
  stop(): void;
}

const listeners = 1_000;
const statusEvents = 2_000;

/** A server with a thousand listeners; `tell` answers the CPU seconds that events took. */
async function startFanOut(command: string[]): Promise<FanOut> {
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async () => Number((await reader.read()).value);
  const port = await line();
  let heard = 0;
  const sockets = await Promise.all(
    Array.from({ length: listeners }, () => connect(`ws://127.0.0.1:${port}/`, () => heard++)),
  );
  await Bun.sleep(500);
  return {
    command,
    async tell(events) {
      heard = 0;
      child.stdin.write(`${events}\n`);
      await child.stdin.flush();
      const cpu = await line();
      for (let n = 0; n < 200 && heard < events * listeners; n++) await Bun.sleep(50);
      if (heard !== events * listeners) throw new Error(`${heard} of ${events * listeners} arrived`);
      return cpu;
    },
    stop() {
      for (const socket of sockets) socket.close();
      child.kill();
    },
  };
}

async function benchFanOut(): Promise<void> {
  const ours = await startFanOut([process.execPath, join(import.meta.dir, "messenger-fanout.ts")]);
  const peer = await startFanOut(["node", join(import.meta.dir, "messenger-peers.mjs")]);
  const pairs: [number, number][] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair: [number, number] = [await ours.tell(statusEvents), await peer.tell(statusEvents)];
    if (round > 0) pairs.push(pair);
  }
  ours.stop();
  peer.stop();
  const each = (cpu: number[]) => ((median(cpu) / statusEvents / listeners) * 1e6).toFixed(2);
  console.log(
    `status events to ${listeners} sockets       ours ${each(pairs.map(([cpu]) => cpu))} µs CPU a delivery, ws on Node ${each(pairs.map(([, cpu]) => cpu))} µs, ratio ${median(pairs.map(([one, other]) => other / one)).toFixed(1)}`,
  );
}

const idleSockets = 10_000;

async function benchIdle(server: BenchServer, people: Person[]): Promise<void> {
  Bun.gc(true);
  await Bun.sleep(2_000);
  const before = memoryOf(server.pid);
  const sockets: WebSocket[] = [];
  for (let n = 0; n < idleSockets; n += 200)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: 200 }, (_, at) =>
          connect(liveUrl(server, people[(n + at) % people.length] as Person), () => {}),
        ),
      )),
    );
  await Bun.sleep(5_000);
  const after = memoryOf(server.pid);
  console.log(
    `${idleSockets} silent sockets            ${(((after - before) * 1024) / idleSockets).toFixed(1)} KiB each (the server's memory grew from ${before.toFixed(0)} to ${after.toFixed(0)} MiB)`,
  );
  for (const socket of sockets) socket.close();
}

const server = await startBenchServer({ JWT_SECRET: secret });
try {
  const people = await makePeople(server, 1_000, secret);
  if (isWanted("idle")) await benchIdle(server, people);
  if (isWanted("routed")) {
    await benchRouted(server, people.slice(0, 200));
    await benchRouted(server, people);
  }
  if (isWanted("fanout")) await benchFanOut();
} finally {
  await server.stop();
}
process.exit();
