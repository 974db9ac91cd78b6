/** pc_info.json: the machine that the files come from. */
import { writeFile } from "node:fs/promises";
import { workerUrl } from "../../platform/workers.ts";

const limitMilliseconds = 15_000;

/**
 * Operating system, processor, memory, disks, network interfaces, processes (command lines without secrets), time and uptime. Sizes in bytes. What
 * could not be found out is missing, and `warnings` says why.
 */
export async function collectSystemInfo(signal: AbortSignal): Promise<Record<string, unknown>> {
  signal.throwIfAborted();
  const worker = new Worker(workerUrl("services/collector/system-info.worker"));
  const stopped = AbortSignal.any([signal, AbortSignal.timeout(limitMilliseconds)]);
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Record<string, unknown>>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      stopped.addEventListener("abort", () => reject(stopped.reason as Error), { once: true });
    });
  } finally {
    worker.terminate();
  }
}

/** Writes the information as a JSON file. A system that does not answer is no reason for a job to fail: the file then says so. */
export async function writeSystemInfo(path: string, signal: AbortSignal): Promise<void> {
  let info: Record<string, unknown>;
  try {
    info = await collectSystemInfo(signal);
  } catch (error) {
    signal.throwIfAborted();
    info = { warnings: [`system information: ${error instanceof Error ? error.message : "not available"}`] };
  }
  await writeFile(path, `${JSON.stringify(info, null, 2)}\n`);
}
