/** Rate limits in a real Redis. */
import { expect } from "bun:test";
import { redisStore } from "../../../src/platform/http/redis-limits.ts";
import { createLog } from "../../../src/platform/telemetry/log.ts";
import { needs } from "../../needs.ts";
import { freePort } from "../../support/postgres.ts";
import { startRedis } from "../../support/redis.ts";
import { startTestServer } from "../../support/server.ts";

const options = { maxKeys: 10, log: createLog("silent") };

needs("redis-server")("two instances count together, windows and buckets, until Redis is away", async () => {
  const { url, child } = await startRedis(await freePort());
  const [one, two] = [redisStore(url, options), redisStore(url, options)];
  const window = { type: "window", limit: 5, seconds: 60 } as const;
  const verdicts = [];
  for (let n = 0; n < 7; n++) verdicts.push(await (n % 2 ? one : two).hit("a", window, Date.now()));
  expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false, false]);
  expect(verdicts.map(({ remaining }) => remaining)).toEqual([4, 3, 2, 1, 0, 0, 0]);
  expect(verdicts[6]!.retryAfter).toBeGreaterThan(50);
  expect((await one.hit("b", window, Date.now())).allowed).toBe(true);

  const bucket = { type: "bucket", perSecond: 0.001, burst: 3 } as const;
  const taken = await Promise.all(
    Array.from({ length: 8 }, (_, n) => (n % 2 ? one : two).hit("c", bucket, Date.now())),
  );
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(3);
  const fast = { type: "bucket", perSecond: 50, burst: 0 } as const;
  const burst = await Promise.all(Array.from({ length: 60 }, () => one.hit("d", fast, Date.now())));
  expect(burst.filter(({ allowed }) => !allowed).length).toBeGreaterThan(0);
  await Bun.sleep(100);
  expect((await two.hit("d", fast, Date.now())).allowed).toBe(true);

  child.kill("SIGKILL");
  await child.exited;
  const alone = [];
  for (let n = 0; n < 7; n++) alone.push((await one.hit("a", window, Date.now())).allowed);
  expect(alone).toEqual([true, true, true, true, true, false, false]);
  for (const store of [one, two]) store.close();
});

needs("redis-server")("servers with REDIS_URL share their limits, and tell how Redis is", async () => {
  const { url, child } = await startRedis(await freePort());
  const settings = { RATE_LIMITS: "on", REDIS_URL: url };
  const servers = await Promise.all([startTestServer(settings), startTestServer(settings)]);
  const answers: Response[] = [];
  for (let n = 0; n < 50; n++) answers.push(await fetch(`${servers[n % 2]!.url}/api/v1/users/me`));
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(10);
  const health = await (await fetch(`${servers[0]!.url}/health/detailed`)).json();
  expect(health).toMatchObject({ components: { redis: { status: "healthy" } } });
  child.kill("SIGKILL");
  await child.exited;
  const after = await (await fetch(`${servers[0]!.url}/health/detailed`)).json();
  expect(after).toMatchObject({ status: "healthy", components: { redis: { status: "unhealthy" } } });
  expect((await fetch(`${servers[0]!.url}/api/v1/users/me`)).status).toBe(401);
  for (const server of servers) await server.stop();
});
