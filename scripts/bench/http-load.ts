/** A load of HTTP/1.1 requests over plain sockets: it costs so little itself that the server is what is measured. */
import { readFileSync } from "node:fs";

export interface Load {
  /** Origin, for example `http://127.0.0.1:8000`. */
  url: string;
  path: string;
  headers?: Record<string, string>;
  method?: string;
  body?: string;
  /** Another request each time: what is given replaces the above. */
  each?: (n: number) => Partial<Pick<Load, "path" | "headers" | "body">>;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Answers by status. */
  statuses: Record<string, number>;
  /** Milliseconds from a request to its answer: the middle one, and that which 99 of 100 stay below. */
  p50: number;
  p99: number;
}

const headEnd = Buffer.from("\r\n\r\n");

function requestOf({ url, path, headers = {}, method = "GET", body = "" }: Load): Buffer {
  const all = {
    Host: new URL(url).host,
    ...headers,
    ...(body ? { "Content-Length": String(Buffer.byteLength(body)) } : {}),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

/** Length of the first whole answer in `data`, or null when it is not whole yet. */
function answerLength(data: Buffer): number | null {
  const end = data.indexOf(headEnd);
  if (end < 0) return null;
  const head = data.toString("latin1", 0, end).toLowerCase();
  const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  const whole = end + headEnd.length + length;
  return data.length >= whole ? whole : null;
}

/** Sends one request after the other on every connection until the time is over. */
export async function load(options: Load): Promise<LoadResult> {
  const { url, connections, seconds } = options;
  const { hostname, port } = new URL(url);
  const { each } = options;
  const fixed = requestOf(options);
  let count = 0;
  const nextRequest = () => (each ? requestOf({ ...options, ...each(count++) }) : fixed);
  const statuses: Record<string, number> = {};
  const times: number[] = [];
  const start = performance.now();
  const until = start + seconds * 1000;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      let pending: Buffer = Buffer.alloc(0);
      let sentAt = 0;
      void Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          open(socket) {
            sentAt = performance.now();
            socket.write(nextRequest());
          },
          data(socket, data) {
            pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
            const length = answerLength(pending);
            if (length === null) return;
            const status = pending.toString("latin1", 9, 12);
            statuses[status] = (statuses[status] ?? 0) + 1;
            pending = pending.subarray(length);
            const now = performance.now();
            times.push(now - sentAt);
            sentAt = now;
            if (now >= until) socket.end();
            else socket.write(nextRequest());
          },
          close: () => resolve(),
          error: (_, error) => reject(error),
        },
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const took = (performance.now() - start) / 1000;
  return { requestsPerSecond: times.length / took, statuses, p50: at(0.5), p99: at(0.99) };
}

const ticksPerSecond = 100;

/** Seconds of CPU that a process has used so far. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
