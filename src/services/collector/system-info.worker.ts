/** Asks the system about itself; in a Worker, because parts of systeminformation wait for children without letting go. */
import { hostname } from "node:os";
import { cpu, fsSize, mem, networkInterfaces, osInfo, processes, time } from "systeminformation";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { redactCommandLine } from "./redact.ts";

declare const self: Worker;

const partMilliseconds = 5_000;

async function processList() {
  const { list } = await processes();
  return list.map((each) => ({
    pid: each.pid,
    parent_pid: each.parentPid,
    name: each.name,
    user: each.user,
    started: each.started,
    cpu_percent: Math.round(each.cpu * 10) / 10,
    memory_percent: Math.round(each.mem * 10) / 10,
    memory_bytes: each.memRss * 1024,
    command: redactCommandLine(`${each.command} ${each.params}`.trim()),
  }));
}

async function interfaces() {
  const found = await networkInterfaces();
  return (Array.isArray(found) ? found : [found]).map((each) => ({
    name: each.iface,
    ip4: each.ip4,
    ip6: each.ip6,
    mac: each.mac,
    type: each.type,
    state: each.operstate,
    speed_mbit: each.speed,
  }));
}

const parts: Record<string, () => Promise<unknown>> = {
  async os() {
    const { platform, distro, release, codename, kernel, arch } = await osInfo();
    return { platform, distro, release, codename, kernel, arch };
  },
  async cpu() {
    const { manufacturer, brand, cores, physicalCores, speed } = await cpu();
    return { manufacturer, brand, cores, physical_cores: physicalCores, speed_ghz: speed };
  },
  async memory() {
    const { total, used, available, swaptotal, swapused } = await mem();
    return { total, used, available, swap_total: swaptotal, swap_used: swapused };
  },
  async disks() {
    const found = await fsSize();
    return found.map(({ fs, type, size, used, available, mount }) => ({
      device: fs,
      type,
      size,
      used,
      available,
      mount,
    }));
  },
  network_interfaces: interfaces,
  processes: processList,
};

/** A part that hangs or fails is left out, with the reason among the warnings. */
async function collect(): Promise<Record<string, unknown>> {
  const { current, uptime, timezoneName } = time();
  const warnings: string[] = [];
  const info: Record<string, unknown> = {
    hostname: hostname(),
    time: new Date(current).toISOString(),
    timezone: timezoneName,
    uptime_seconds: Math.round(uptime),
  };
  const late = () => Bun.sleep(partMilliseconds).then(() => Promise.reject(new Error("no answer in time")));
  await Promise.all(
    Object.entries(parts).map(async ([name, part]) => {
      try {
        info[name] = await Promise.race([part(), late()]);
      } catch (error) {
        warnings.push(`${name}: ${reasonOf(error)}`);
      }
    }),
  );
  return { ...info, warnings };
}

self.postMessage(await collect());
