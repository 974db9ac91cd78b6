/** Two servers on one database, as processes of their own: people on both talk, see each other, and lose nothing when one of them is killed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../support/logger.ts";
import { connect, join, open, type Person, say } from "../support/messenger.ts";
import { freePort, hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { freshDataDirectory } from "../support/server.ts";

const hasRedis = Bun.which("redis-server") !== null || process.env.CI === "true";
const ways = ["by NOTIFY", ...(hasRedis ? ["by Redis"] : [])];

(hasPostgres ? describe.each(ways) : describe.skip.each(ways))("two servers on one database, %s", (way) => {
  let database: TestPostgres;
  let one: ServerProcess;
  let two: ServerProcess;
  let anna: Person;
  let boris: Person;
  let directory: string;
  let redis: Awaited<ReturnType<typeof startRedis>> | null = null;
  const env = () => ({
    DATABASE_URL: database.url,
    JWT_SECRET: "one secret of both servers, long enough",
    ...(redis ? { REDIS_URL: redis.url } : {}),
  });

  beforeAll(async () => {
    database = await startPostgres();
    if (way === "by Redis") redis = await startRedis(await freePort());
    directory = await freshDataDirectory();
    one = await startProcess(await freshDataDirectory(), { env: env() });
    two = await startProcess(directory, { env: env() });
    [anna, boris] = [await join(one.url, "anna"), await join(two.url, "boris")];
  });

  afterAll(async () => {
    for (const server of [one, two]) {
      server.kill("SIGTERM");
      await server.exited;
    }
    redis?.child.kill();
    await database.stop();
  });

  test("they see each other come, type, read, delete and go", async () => {
    const a = await connect(one.url, anna);
    const b = await connect(two.url, boris);
    expect((await a.next("user_status")).data).toMatchObject({ user_id: boris.id, is_online: true });
    a.socket.send(JSON.stringify({ event: "typing", data: { receiver_id: boris.id, is_typing: true } }));
    expect((await b.next("typing")).data.user_id).toBe(anna.id);
    await say(one.url, anna, boris, "Привет!");
    expect((await b.next("new_message")).data.content).toBe("Привет!");
    await fetch(`${two.url}/messages/mark-read`, {
      method: "POST",
      headers: { Authorization: `Bearer ${boris.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ sender_id: anna.id }),
    });
    expect((await a.next("messages_read")).data.marked_count).toBe(1);
    await b.close();
    expect((await a.next("user_status")).data).toMatchObject({ user_id: boris.id, is_online: false });
    await a.close();
  });

  test("what both say at once to one person arrives in one order", async () => {
    const b = await connect(two.url, boris);
    const a = await connect(one.url, { ...boris });
    await Promise.all(
      Array.from({ length: 300 }, (_, n) => say(n % 2 ? one.url : two.url, anna, boris, `m${n}`)),
    );
    await until(() => a.said().length >= 300 && b.said().length >= 300);
    await a.close();
    await b.close();
    expect(new Set(a.said()).size).toBe(300);
    expect(a.said()).toEqual(b.said());
  });

  test("while one is killed and comes back, nothing is lost or repeated, and who was on it is seen to go", async () => {
    const watcher = await connect(one.url, anna);
    const b = await connect(two.url, boris);
    const first = (await say(one.url, anna, boris, "0")).body.data.id;
    await b.next("new_message");
    two.kill("SIGKILL");
    await two.exited;
    expect((await b.closed).code).toBe(1006);
    for (let n = 1; n <= 50; n++) await say(one.url, anna, boris, String(n));
    await until(
      () => watcher.events.some(({ event, data }) => event === "user_status" && data.is_online === false),
      40,
    );
    two = await startProcess(directory, { env: env() });
    const back = await connect(two.url, boris, `?since=${first}`);
    for (let n = 51; n <= 100; n++) await say(one.url, anna, boris, String(n));
    await until(() => back.said().length >= 100);
    await back.close();
    await watcher.close();
    expect(back.said()).toEqual(Array.from({ length: 100 }, (_, n) => String(n + 1)));
  });

  test("while Redis is away messages come a little later, and at once again when it is back", async () => {
    if (!redis) return;
    const b = await connect(two.url, boris);
    redis.child.kill("SIGKILL");
    await redis.child.exited;
    await say(one.url, anna, boris, "late");
    expect((await b.next("new_message")).data.content).toBe("late");
    redis = await startRedis(Number(new URL(redis.url).port));
    await say(one.url, anna, boris, "soon");
    expect((await b.next("new_message")).data.content).toBe("soon");
    await b.close();
  });

  test("a server that is told to stop says so to whoever is connected", async () => {
    const b = await connect(two.url, boris);
    two.kill("SIGTERM");
    expect((await b.closed).code).toBe(1001);
    expect(await two.exited).toBe(0);
    two = await startProcess(directory, { env: env() });
    const a = open(two.url, `/ws/${anna.id}?token=${anna.token}`);
    await a.next("connection_ack");
    await a.close();
  });
});
