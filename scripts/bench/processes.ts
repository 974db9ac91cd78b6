/** What a server and its embedded PostgreSQL take of the machine. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSecondsOf } from "./http-load.ts";
import type { BenchServer } from "./server.ts";

const postmasterOf = ({ dataDirectory }: BenchServer): number =>
  Number(readFileSync(join(dataDirectory, "postgres/18/postmaster.pid"), "utf8").split("\n")[0]);

/** PostgreSQL's processes. */
function databasePids(server: BenchServer): number[] {
  const postmaster = postmasterOf(server);
  const children = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1]) === postmaster;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
  return [postmaster, ...children.map(Number)];
}

/** CPU seconds of the server and of all its PostgreSQL. */
export function cpuOfAll(server: BenchServer): number {
  return [server.pid, ...databasePids(server)].reduce((total, pid) => {
    try {
      return total + cpuSecondsOf(pid);
    } catch {
      return total;
    }
  }, 0);
}

/** MiB of a process, what it shares with others counted in parts (PSS). */
export function memoryOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** MiB of the server and of its PostgreSQL. */
export const memory = (server: BenchServer): { server: number; database: number } => ({
  server: memoryOf(server.pid),
  database: databasePids(server).reduce((sum, pid) => sum + memoryOf(pid), 0),
});
