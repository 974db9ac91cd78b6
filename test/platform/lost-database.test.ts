/** A database that is lost and comes back: the server lives on, says 503 meanwhile, and everything works again by itself. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { ask } from "../support/accounts.ts";
import { until } from "../support/logger.ts";
import { connect, join, open, say } from "../support/messenger.ts";
import { startProcess } from "../support/process.ts";
import { freshDataDirectory } from "../support/server.ts";

const postmasterOf = (directory: string): number =>
  Number(readFileSync(joinPath(directory, "postgres/18/postmaster.pid"), "utf8").split("\n")[0]);

test("PostgreSQL killed under traffic, three times: nobody is lost but the requests under way", async () => {
  const directory = await freshDataDirectory();
  const server = await startProcess(directory);
  const { url } = server;
  const [anna, boris] = [await join(url, "anna"), await join(url, "boris")];
  const live = await connect(url, boris);
  let isOver = false;
  const acknowledged: number[] = [];
  const traffic = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const answer = await say(url, anna, boris, "hello").catch(() => null);
      if (answer?.status === 201) acknowledged.push(answer.body.data.id);
      else await Bun.sleep(20);
    }
  });
  for (let kill = 0; kill < 3; kill++) {
    await Bun.sleep(500);
    process.kill(postmasterOf(directory), "SIGKILL");
    const meanwhile = open(url, `/ws/${anna.id}?token=${anna.token}`);
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 50, 60);
    await meanwhile.close();
  }
  isOver = true;
  await Promise.all(traffic);
  const again = await connect(url, anna);
  await again.close();
  const health = await ask(url, "GET", "/health");
  expect({ ...health, log: server.log().slice(-5) }).toMatchObject({ status: 200 });
  const told = () =>
    new Set(live.events.filter(({ event }) => event === "new_message").map(({ data }) => data.id));
  await until(() => acknowledged.every((id) => told().has(id)), 30);
  await live.close();
  const ids = live.events.filter(({ event }) => event === "new_message").map(({ data }) => data.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});
