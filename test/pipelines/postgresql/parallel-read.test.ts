/** A large table read by several sessions: one snapshot, every row once, and all of them end together. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { ReadRequest } from "../../../src/services/pipelines/connect/connector.ts";
import { streamTogether } from "../../../src/services/pipelines/connect/postgresql/parallel-read.ts";
import { openSource } from "../../../src/services/pipelines/connect/postgresql/read.ts";
import { rangesOf } from "../../../src/services/pipelines/connect/postgresql/readers.ts";
import { Session } from "../../../src/services/pipelines/connect/postgresql/wire.ts";
import type { RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { hasPostgres } from "../../support/postgres.ts";
import { alone } from "../alone.ts";
import { drain, never, type Server, startServer, within } from "./support.ts";

const needsPostgres = hasPostgres ? test : test.skip;
const parallelism = { leastBytes: 1024 * 1024, rangePages: 16, mostSessions: 4 };
const rowCount = 60_000;
let server: Server;

beforeAll(async () => {
  if (!hasPostgres) return;
  server = await startServer();
  await server.admin.query("create role reader login password 'secret'");
});
afterAll(async () => await server?.stop());

/** A table of about 30 MB, anew for each test. */
beforeEach(async () => {
  if (!hasPostgres) return;
  await server.admin.query(`drop table if exists big cascade;
    create table big (id int primary key, grp int not null, note text);
    insert into big select n, n % 100, repeat('note ' || n, 40) from generate_series(1, ${rowCount}) n;
    analyze big; grant select on big to reader`);
});

const owner = () => server.connector({}, {}, parallelism);
const reader = () => server.connector({}, { username: "reader", password: "secret" }, parallelism);
const numberOf = async (sql: string) => Number(await server.one(sql));
const sessions = () =>
  numberOf(
    "select count(*) from pg_stat_activity where application_name = 'quintet' and pid <> pg_backend_pid()",
  );
const noneLeft = () => within(2_000, async () => (await sessions()) === 0);
const linesOf = (text: string) => text.split("\n").slice(0, -1).toSorted();
const idsOf = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => Number(line.split("\t")[0]))
    .toSorted((a, b) => a - b);
const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Reads a chunk, then waits until so many sessions read, or for half a second. */
async function begin({ chunks }: RowStream, most = 4) {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const end = performance.now() + 500;
  while ((await sessions()) < most && performance.now() < end) await Bun.sleep(10);
  return { by: await sessions(), iterator, parts: first.done ? [] : [first.value] };
}

/** The rows of a request, and how many sessions read them. */
async function readBy(connector: ReturnType<typeof owner>, request: ReadRequest) {
  const { by, iterator, parts } = await begin(await connector.read(request, never()));
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) parts.push(next.value);
  await noneLeft();
  return { by, text: Buffer.concat(parts).toString() };
}

needsPostgres("the rows are those of the snapshot, each once, whatever others do meanwhile", async () => {
  const expected = linesOf(await drain(await server.connector().read({ table: "big" }, never())));
  const rows = await owner().read({ table: "big" }, never());
  // Rows go elsewhere, into pages behind the last one too; those that are gone are cleared away.
  const change = async (step: number) => {
    await server.admin.query("update big set note = 'changed' || note, grp = grp + 1 where id % 3 = 0");
    await server.admin.query(`delete from big where id % 5 = ${step % 5}`);
    await server.admin.query("vacuum big");
    await server.admin.query(
      `insert into big select n, 0, 'new' from generate_series(${step}00001, ${step}09000) n`,
    );
  };
  // The others join after this.
  await change(1);
  const parts: Uint8Array[] = [];
  let most = 0;
  for await (const chunk of rows.chunks) {
    expect(chunk.at(-1)).toBe(10);
    if (parts.push(chunk) > 4) continue;
    await change(parts.length + 1);
    most = Math.max(most, await sessions());
  }
  expect(most).toBe(4);
  expect(linesOf(Buffer.concat(parts).toString())).toEqual(expected);
  await noneLeft();
});

needsPostgres("all sessions see the same transactions while others commit", async () => {
  const writer = await Session.open(server.options, never());
  let isOver = false;
  const writing = (async () => {
    // Each step moves rows through the table and leaves 60,000 rows whose ids sum up to the same.
    for (let step = 1; !isOver; step++)
      await writer.query(`begin; update big set grp = ${step} where id % 7 = ${step % 7};
        update big set id = id + 1000000 where id between 1 and 50;
        update big set id = id - 1000000 where id > 1000000; commit`);
  })();
  try {
    for (let round = 0; round < 8; round++) {
      const { by, iterator, parts } = await begin(await owner().read({ table: "big" }, never()), 5);
      expect(by).toBe(5);
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) parts.push(next.value);
      const text = Buffer.concat(parts).toString();
      expect(idsOf(text)).toEqual(idsUpTo(rowCount));
      const groups = new Map<number, Set<string>>();
      for (const line of text.split("\n").slice(0, -1)) {
        const [id, group] = line.split("\t") as [string, string];
        const rest = Number(id) % 7;
        groups.set(rest, (groups.get(rest) ?? new Set()).add(group));
      }
      // A rest that was written ever was written in one transaction.
      for (const each of groups.values()) expect([1, 100]).toContain(each.size);
    }
  } finally {
    isOver = true;
    await writing;
    await writer.close();
  }
});

needsPostgres("ranges hold each row once, also of a table with more pages than were counted", async () => {
  for (const pages of [1, 16, 17, 100]) {
    const counted = [...rangesOf(pages, 16)].map((range) => `(select count(*) from big${range})`);
    expect(counted.length).toBe(Math.ceil(pages / 16));
    expect(await numberOf(`select ${counted.join(" + ")}`)).toBe(rowCount);
  }
});

needsPostgres(
  "bounds of a cursor hold in every range; where an index serves them one session reads",
  async () => {
    const grouped = await readBy(owner(), {
      table: "big",
      cursor: { column: "grp", after: "9", upTo: "59" },
    });
    expect(grouped.by).toBe(4);
    expect(idsOf(grouped.text)).toEqual(idsUpTo(rowCount).filter((id) => id % 100 > 9 && id % 100 < 60));
    const newest = await readBy(owner(), {
      table: "big",
      cursor: { column: "id", after: "59000", upTo: "59999" },
    });
    expect(newest.by).toBe(1);
    expect(idsOf(newest.text)).toEqual(idsUpTo(59_999).slice(59_000));
    const all = await readBy(owner(), { table: "big", cursor: { column: "id", after: null, upTo: "60000" } });
    expect(all.by).toBe(4);
    expect(idsOf(all.text)).toEqual(idsUpTo(rowCount));
  },
);

needsPostgres("everything but a large table is read by one session", async () => {
  await server.admin.query(`create table small (id int); insert into small select generate_series(1, 1000);
    create view seen as select * from big;
    create materialized view kept as select * from big;
    create table parted (like big) partition by hash (id);
    create table part_0 partition of parted for values with (modulus 2, remainder 0);
    create table part_1 partition of parted for values with (modulus 2, remainder 1);
    create table parent (like big); create table child () inherits (parent);
    insert into parted select * from big; insert into parent select * from big;
    insert into child select id + ${rowCount}, grp, note from big;
    analyze parted; analyze parent; analyze child`);
  for (const table of ["seen", "kept", "parted"]) {
    const { by, text } = await readBy(owner(), { table });
    expect([by, idsOf(text).length]).toEqual([1, rowCount]);
  }
  expect((await readBy(owner(), { table: "small" })).by).toBe(1);
  const { by, text } = await readBy(owner(), { table: "parent" });
  expect([by, idsOf(text)]).toEqual([1, idsUpTo(2 * rowCount)]);
  expect((await readBy(owner(), { query: "select * from big" })).by).toBe(1);
  expect((await readBy(server.connector(), { table: "big" })).by).toBe(1);
});

needsPostgres("as many sessions read as the server lets in", async () => {
  for (const limit of [3, 2, 1]) {
    await server.admin.query(`alter role reader connection limit ${limit}`);
    const { by, text } = await readBy(reader(), { table: "big" });
    expect([by, idsOf(text)]).toEqual([limit, idsUpTo(rowCount)]);
  }
  await server.admin.query("alter role reader connection limit -1");
});

needsPostgres("where no snapshot can be exported one session reads", async () => {
  await server.admin.query("revoke execute on function pg_export_snapshot() from public");
  const { by, text } = await readBy(reader(), { table: "big" });
  expect([by, idsOf(text)]).toEqual([1, idsUpTo(rowCount)]);
  await server.admin.query("grant execute on function pg_export_snapshot() to public");
  expect((await readBy(reader(), { table: "big" })).by).toBe(4);
});

/** A stream by a session of ours, with others that `open` opens. */
async function together(open: (signal: AbortSignal) => Promise<Session>, before = async () => {}) {
  const lead = await Session.open(server.options, never());
  const source = await openSource(lead, { table: "big" }, null);
  await before();
  const rows = await streamTogether({ lead, source, parallelism, signal: never(), open });
  return rows as RowStream;
}

needsPostgres("others do not queue behind somebody who waits for an exclusive lock", async () => {
  const changer = await Session.open(server.options, never());
  let changed: Promise<unknown> | null = null;
  const rows = await together(
    (signal) => Session.open(server.options, signal),
    async () => {
      changed = changer.query("alter table big add column more int");
      await within(
        5_000,
        async () => (await numberOf("select count(*) from pg_locks where not granted")) === 1,
      );
    },
  );
  const { by, iterator } = await begin(rows);
  expect(by).toBe(2);
  expect(await numberOf("select count(*) from pg_locks where not granted")).toBe(1);
  for (let next = await iterator.next(); !next.done; ) next = await iterator.next();
  await changed;
  await changer.close();
  await noneLeft();
});

needsPostgres("others that do not answer are not waited for", async () => {
  let opened = 0;
  const rows = await together(async (signal) => {
    if (opened++ === 0) return await Session.open(server.options, signal);
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return await promise;
  });
  expect(idsOf(await drain(rows))).toEqual(idsUpTo(rowCount));
  expect(opened).toBe(2);
  await noneLeft();
});

needsPostgres("a session of another server is not believed", async () => {
  const other = await startServer();
  const rows = await together((signal) => Session.open(other.options, signal));
  expect(idsOf(await drain(rows))).toEqual(idsUpTo(rowCount));
  await other.stop();
});

/** Doubles the table until a stalled reader stalls all four sessions. */
async function grow(): Promise<void> {
  await server.admin.query(
    `insert into big select id + n * ${rowCount}, grp, note from big, generate_series(1, 3) n`,
  );
}

const stalled =
  "select count(*) from pg_stat_activity where query like 'copy%ctid%' and wait_event = 'ClientWrite'";

needsPostgres("while nobody reads all sessions wait; leaving ends them", async () => {
  await grow();
  const large = server.connector({}, {}, { ...parallelism, rangePages: 2048 });
  const { chunks } = await large.read({ table: "big" }, never());
  const iterator = chunks[Symbol.asyncIterator]();
  await iterator.next();
  await within(5_000, async () => (await numberOf(stalled)) === 4);
  await iterator.return?.();
  await noneLeft();
});

needsPostgres("an abort ends all sessions within 2 s, reader idle or waiting", async () => {
  await grow();
  for (const pause of [0, 50]) {
    const abort = new AbortController();
    const rows = await owner().read({ table: "big" }, abort.signal);
    let chunks = 0;
    const reading = (async () => {
      for await (const _ of rows.chunks) {
        if (++chunks === 5) abort.abort(new Error("enough"));
        await Bun.sleep(pause);
      }
    })();
    await expect(reading).rejects.toThrow("enough");
    await noneLeft();
  }
  // While the others still join; and before anybody reads.
  for (const reads of [true, false]) {
    const abort = new AbortController();
    const { chunks } = await owner().read({ table: "big" }, abort.signal);
    if (reads) await chunks[Symbol.asyncIterator]().next();
    abort.abort();
    await noneLeft();
    await Bun.sleep(100);
    expect(await sessions()).toBe(0);
  }
});

needsPostgres(
  "closing the connector ends the sessions of a stream that nobody reads to its end",
  async () => {
    const connector = owner();
    await connector.read({ table: "big" }, never());
    expect(await sessions()).toBe(1);
    await begin(await connector.read({ table: "big" }, never()), 5);
    expect(await sessions()).toBe(5);
    const { chunks } = await connector.read({ table: "big" }, never());
    await chunks[Symbol.asyncIterator]().next();
    await connector.close();
    await noneLeft();
    await Bun.sleep(100);
    expect(await sessions()).toBe(0);
  },
);

needsPostgres("leaving while others still join ends them", async () => {
  for (const pause of [0, 5, 10, 20]) {
    const { chunks } = await owner().read({ table: "big" }, never());
    for await (const _ of chunks) {
      await Bun.sleep(pause);
      break;
    }
    expect(await sessions()).toBeLessThan(5);
    await noneLeft();
    await Bun.sleep(50);
    expect(await sessions()).toBe(0);
  }
});

needsPostgres("an error in one range is the stream's error, and ends the others", async () => {
  await server.admin.query(`alter table big enable row level security;
    create policy divides on big to reader using (1 / (id - 31234) is not null)`);
  const rows = await reader().read({ table: "big" }, never());
  await expect(drain(rows)).rejects.toMatchObject({ code: "refused", message: "division by zero" });
  await noneLeft();
});

needsPostgres("a session that the server ends fails the stream", async () => {
  await grow();
  const rows = await owner().read({ table: "big" }, never());
  let chunks = 0;
  const reading = (async () => {
    for await (const _ of rows.chunks)
      if (++chunks === 3)
        await server.admin.query(
          "select pg_terminate_backend(max(pid)) from pg_stat_activity where query like 'copy%ctid%' and pid <> pg_backend_pid()",
        );
  })();
  await expect(reading).rejects.toMatchObject({ name: "ConnectorError", code: "unreachable" });
  await noneLeft();
});

needsPostgres("a reader that pauses between ranges keeps its transactions", async () => {
  await server.admin.query("alter role reader set idle_in_transaction_session_timeout = '100ms'");
  const rows = await reader().read({ table: "big" }, never());
  const parts: Uint8Array[] = [];
  for await (const chunk of rows.chunks) if (parts.push(chunk) < 10) await Bun.sleep(150);
  await server.admin.query("alter role reader reset idle_in_transaction_session_timeout");
  expect(idsOf(Buffer.concat(parts).toString())).toEqual(idsUpTo(rowCount));
});

needsPostgres("rows of several megabytes stay whole", async () => {
  await server.admin.query(`create table wide (id int, pad text, v text); alter table wide alter pad set storage plain;
    insert into wide select n, repeat('p', 3000), repeat(chr(65 + n % 26), 2500000 + n) from generate_series(1, 40) n`);
  const connector = server.connector({}, {}, { leastBytes: 0, rangePages: 2, mostSessions: 4 });
  const { by, text } = await readBy(connector, { table: "wide" });
  expect(by).toBe(4);
  const lines = text.split("\n").slice(0, -1);
  expect(lines.length).toBe(40);
  for (const line of lines) {
    const [id, pad, value] = line.split("\t") as [string, string, string];
    expect(pad).toBe("p".repeat(3000));
    expect(value === String.fromCharCode(65 + (Number(id) % 26)).repeat(2_500_000 + Number(id))).toBe(true);
  }
});

needsPostgres("memory stays bounded with a slow reader, and chunks are large", async () => {
  await server.admin.query(
    `create table huge as select n, 'a row of some length, number ' || n || repeat('.', 400) as v from generate_series(1, 1200000) n`,
  );
  const { host, port, database, user, password } = server.options;
  const moved = alone({
    type: "postgresql",
    config: { host, port, database, ssl_mode: "disable" },
    credentials: { username: user, password },
    read: { request: { table: "huge" }, pauses: 50 },
  });
  await within(10_000, async () => (await sessions()) === 4);
  const { lines, bytes, chunks, peakMemory } = await moved;
  expect(lines).toBe(1_200_000);
  expect(bytes).toBeGreaterThan(500_000_000);
  expect(bytes / chunks).toBeGreaterThan(500_000);
  // 13 MB lie in the four sessions (measured); the rest is what the garbage collector has not looked at yet, with one session too.
  expect(peakMemory).toBeLessThan(400_000_000);
});
