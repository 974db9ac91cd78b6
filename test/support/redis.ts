/** A Redis of its own. */
import { redisStore } from "../../src/platform/http/redis-limits.ts";
import { createLog } from "../../src/platform/telemetry/log.ts";
import { temporaryDirectory } from "./server.ts";

/** Starts one and waits until it answers. */
export async function startRedis(port: number) {
  const child = Bun.spawn(
    [
      "redis-server",
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--dir",
      temporaryDirectory("redis"),
    ],
    { stdout: "ignore", stderr: "ignore" },
  );
  const url = `redis://127.0.0.1:${port}`;
  const store = redisStore(url, { maxKeys: 10, log: createLog("silent") });
  for (let attempt = 0; ; attempt++) {
    try {
      await store.ping();
      break;
    } catch (error) {
      if (attempt > 100) throw error;
      await Bun.sleep(250);
    }
  }
  store.close();
  return { url, child };
}
