/**
 * A minute of 500 people on two servers, one or the other of which is killed again and again: every message that was acknowledged reaches its receiver exactly
 * once, in order. Clients do what they are told to: they come back with the last message they have, and send again, under the same name, what was not answered.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { forge } from "../support/forge.ts";
import { hasPostgres, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type ServerProcess, startProcess } from "../support/process.ts";
import { freshDataDirectory } from "../support/server.ts";

const people = 500;
const senders = 16;
const seconds = 60;
const secret = "one secret of both servers, long enough";

interface Person {
  id: number;
  token: string;
  /** Ids of the messages that came, in order. */
  received: number[];
  reconnections: number;
}

(hasPostgres ? describe : describe.skip)("a soak", () => {
  let database: TestPostgres;
  const servers: { directory: string; process: ServerProcess | null; port: number }[] = [];
  let everybody: Person[] = [];
  const settings = (port: number) => ({
    env: { DATABASE_URL: database.url, JWT_SECRET: secret, PORT: String(port) },
  });

  beforeAll(async () => {
    database = await startPostgres();
    for (let n = 0; n < 2; n++) {
      const directory = await freshDataDirectory();
      const process = await startProcess(directory, settings(0));
      servers.push({ directory, process, port: Number(new URL(process.url).port) });
    }
    everybody = await makePeople(database.url);
  });

  afterAll(async () => {
    for (const { process } of servers) {
      process?.kill("SIGTERM");
      await process?.exited;
    }
    await database.stop();
  });

  const alive = () => servers.filter(({ process }) => process !== null);
  const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
  let isOver = false;

  /** Stays connected to one server or another; answers how to leave. */
  function follow(person: Person): () => void {
    let socket: WebSocket | null = null;
    let isDone = false;
    const connect = () => {
      if (isDone) return;
      const { port } = any(alive().length > 0 ? alive() : servers);
      const since = person.received.at(-1) ?? 0;
      socket = new WebSocket(`ws://127.0.0.1:${port}/ws/${person.id}?token=${person.token}&since=${since}`);
      socket.onmessage = ({ data }) => {
        const { event, data: message } = JSON.parse(String(data));
        if (event === "new_message") person.received.push(message.id);
        else if (event === "ping") socket?.send('{"event":"pong"}');
      };
      socket.onclose = () => {
        person.reconnections++;
        setTimeout(connect, 100 + Math.random() * 400);
      };
    };
    connect();
    return () => {
      isDone = true;
      socket?.close();
    };
  }

  /** Sends until it is acknowledged, under one name. Answers the message's id. */
  async function send(from: Person, to: Person, name: string): Promise<number> {
    const request = {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${from.token}` },
      body: JSON.stringify({
        receiver_id: to.id,
        content: name,
        message_type: "text",
        client_message_id: name,
      }),
    };
    for (;;) {
      const url = `http://127.0.0.1:${any(servers).port}/messages/`;
      // No answer, or half of one: the server was killed.
      const answer = await fetch(url, request)
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => null);
      if (answer?.status === 200 || answer?.status === 201) return JSON.parse(answer.text).data.id;
      if (answer && answer.status < 500) throw new Error(answer.text);
      await Bun.sleep(50);
    }
  }

  async function kill(): Promise<void> {
    while (!isOver) {
      await Bun.sleep(3_000 + Math.random() * 4_000);
      if (isOver) return;
      const victim = any(servers);
      const { process } = victim;
      victim.process = null;
      process?.kill("SIGKILL");
      await process?.exited;
      await Bun.sleep(Math.random() * 2_000);
      victim.process = await startProcess(victim.directory, settings(victim.port));
    }
  }

  test(`${people} people, ${seconds} s, random kills: every message exactly once, in order`, async () => {
    const leave = everybody.map(follow);
    const sent = new Map<number, number[]>(everybody.map(({ id }) => [id, []]));
    const ends = performance.now() + seconds * 1_000;
    const killing = kill();
    await Promise.all(
      Array.from({ length: senders }, async (_, sender) => {
        for (let n = 0; performance.now() < ends; n++) {
          const to = any(everybody);
          const id = await send(any(everybody.filter((each) => each !== to)), to, `${sender}-${n}`);
          sent.get(to.id)?.push(id);
        }
      }),
    );
    isOver = true;
    await killing;
    const total = [...sent.values()].reduce((sum, ids) => sum + ids.length, 0);
    const missing = () =>
      everybody.filter(({ id, received }) => received.length < (sent.get(id)?.length ?? 0));
    for (let n = 0; n < 600 && missing().length > 0; n++) await Bun.sleep(50);
    for (const each of leave) each();
    for (const { id, received } of everybody) {
      expect(new Set(received).size).toBe(received.length);
      expect(received).toEqual(received.toSorted((a, b) => a - b));
      expect(new Set(received)).toEqual(new Set(sent.get(id)));
    }
    const reconnections = everybody.reduce((sum, each) => sum + each.reconnections, 0);
    console.log(`${total} messages, ${reconnections} reconnections`);
    expect(total).toBeGreaterThan(500);
    expect(reconnections).toBeGreaterThan(people);
  });
});

/** Accounts and sessions as logins would have made them; 500 argon2 hashes would only measure patience. */
async function makePeople(url: string): Promise<Person[]> {
  const sql = new SQL({ url, max: 1 });
  const accounts = await sql`insert into identity.accounts (username, username_key)
    select 'p' || n, 'p' || n from generate_series(1, ${people}) n returning id`;
  const sessions = await sql`insert into identity.sessions (account_id, surface, expires_at)
    select id, 'messenger', now() + interval '1 hour' from identity.accounts where username like 'p%' returning id, account_id`;
  await sql.close();
  const now = Math.floor(Date.now() / 1000);
  const byAccount = new Map(
    sessions.map((row: { id: string; account_id: number }) => [row.account_id, row.id]),
  );
  return accounts.map(({ id }: { id: number }) => {
    const claims = {
      sub: `user_${id}`,
      user_id: id,
      username: `p${id}`,
      role: "user",
      sid: byAccount.get(id),
      iat: now,
      exp: now + 3600,
    };
    const token = forge({ alg: "HS256", typ: "JWT" }, claims, Buffer.from(secret));
    return { id, token, received: [], reconnections: 0 };
  });
}
