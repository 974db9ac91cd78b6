/** Work that is woken: done while it is wanted, never twice at once, never forgotten. */
import { expect, test } from "bun:test";
import { GroupCommit } from "../../src/platform/database/group-commit.ts";
import { Wakeable } from "../../src/platform/wakeable.ts";

test("woken at any moment it looks once more, one look at a time", async () => {
  let [todo, done, atOnce, most] = [0, 0, 0, 0];
  const worker = new Wakeable(async () => {
    most = Math.max(most, ++atOnce);
    await Promise.resolve();
    done += todo;
    todo = 0;
    atOnce--;
  });
  for (let n = 0; n < 2_000; n++) {
    todo++;
    worker.wake();
    for (let turn = 0; turn < n % 7; turn++) await Promise.resolve();
  }
  await worker.settled();
  expect({ done, most }).toEqual({ done: 2_000, most: 1 });
});

test("work that ends at once does not put it to sleep", async () => {
  let looks = 0;
  const worker = new Wakeable(() => {
    looks++;
    return Promise.resolve();
  });
  for (let n = 1; n <= 3; n++) {
    worker.wake();
    await worker.settled();
    expect(looks).toBe(n);
  }
});

test("what comes in while a batch is stored goes into the next, within its bounds", async () => {
  const batches: number[][] = [];
  const commits = new GroupCommit<{ id: number; size: number }>({
    async store(batch) {
      batches.push(batch.map(({ id }) => id));
      await Bun.sleep(1);
    },
    mostItems: 3,
    mostBytes: 100,
  });
  for (const [id, size] of [10, 10, 10, 10, 500, 10].entries()) commits.add({ id, size });
  expect(commits.bytes).toBe(550);
  while (commits.bytes > 0) await Bun.sleep(1);
  expect(batches).toEqual([[0, 1, 2], [3], [4], [5]]);
});
