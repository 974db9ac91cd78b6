/** The live connection: who gets in, what is told to whom, and that nothing is lost, repeated or out of order. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { ask } from "../support/accounts.ts";
import { until } from "../support/logger.ts";
import { connect, enter, join, open, type Person, say } from "../support/messenger.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let anna: Person;
let boris: Person;
let vera: Person;
const url = () => server.url;

beforeAll(async () => {
  server = await startTestServer({ MESSENGER_MAX_CONNECTIONS: "3" });
  [anna, boris, vera] = [await join(url(), "anna"), await join(url(), "boris"), await join(url(), "vera")];
});

afterAll(() => server.stop());

describe("getting in", () => {
  test("by header, by query, by a first frame in either spelling", async () => {
    const ways = [
      open(url(), `/ws/${anna.id}`, { Authorization: `Bearer ${anna.token}` }),
      open(url(), `/ws/${anna.id}?token=${anna.token}`),
    ];
    const first = open(url(), `/ws/user_${anna.id}`);
    first.socket.onopen = () => first.socket.send(JSON.stringify({ event: "auth", token: anna.token }));
    for (const live of [...ways, first]) {
      const { data } = await live.next("connection_ack");
      expect(data).toEqual({ connection_id: expect.any(String), user_id: anna.id });
    }
    for (const live of [...ways, first]) await live.close();
    const typed = open(url(), `/ws/${anna.id}`);
    typed.socket.onopen = () => typed.socket.send(JSON.stringify({ type: "auth", token: anna.token }));
    await typed.next("connection_ack");
    await typed.close();
  });

  test("a bad token is 4001, another's id 4003, one connection too many 4008", async () => {
    expect((await open(url(), `/ws/${anna.id}?token=nonsense`).closed).code).toBe(4001);
    expect((await open(url(), `/ws/${boris.id}?token=${anna.token}`).closed).code).toBe(4003);
    expect((await open(url(), `/ws/9${anna.id}?token=${anna.token}`).closed).code).toBe(4003);
    const bad = open(url(), `/ws/${anna.id}`);
    bad.socket.onopen = () => bad.socket.send(JSON.stringify({ event: "auth", token: "nonsense" }));
    expect((await bad.closed).code).toBe(4001);
    const lives = [];
    for (let n = 0; n < 3; n++) lives.push(await connect(url(), anna));
    const { code, reason } = await open(url(), `/ws/${anna.id}?token=${anna.token}`).closed;
    expect({ code, reason }).toEqual({ code: 4008, reason: "Слишком много подключений" });
    for (const live of lives) await live.close();
  });

  test("whoever says nothing within ten seconds is 4001", async () => {
    expect((await open(url(), `/ws/${anna.id}`).closed).code).toBe(4001);
  });

  test("logging out ends the connections of that login, and of no other", async () => {
    const other = { ...vera, token: await enter(url(), "vera") };
    const [ending, staying] = [await connect(url(), vera), await connect(url(), other)];
    await ask(url(), "POST", "/auth/logout", { token: vera.token });
    expect((await ending.closed).code).toBe(4001);
    expect(staying.socket.readyState).toBe(WebSocket.OPEN);
    await staying.close();
    vera = other;
  });

  test("a plain GET is told to upgrade", async () => {
    const { status, body } = await ask(url(), "GET", `/ws/${anna.id}`);
    expect(status).toBe(426);
    expect(body.success).toBe(false);
  });
});

describe("events", () => {
  test("a message reaches every connection of the receiver and the sender's other logins, not the one that sent it", async () => {
    const annaElsewhere = { ...anna, token: await enter(url(), "anna") };
    const [here, elsewhere] = [await connect(url(), anna), await connect(url(), annaElsewhere)];
    const receivers = [await connect(url(), boris), await connect(url(), boris)];
    const { body } = await say(url(), anna, boris, "Привет!");
    for (const live of [...receivers, elsewhere]) {
      const { data } = await live.next("new_message");
      expect(data).toEqual(body.data);
    }
    await say(url(), boris, anna, "ответ");
    await here.next("new_message");
    expect(here.said()).toEqual(["ответ"]);
    for (const live of [here, elsewhere, ...receivers]) await live.close();
  });

  test("a message to oneself comes once on each connection", async () => {
    const lives = [await connect(url(), anna), await connect(url(), anna)];
    await say(url(), anna, anna, "не забыть");
    for (const live of lives) await live.next("new_message");
    for (const live of lives) {
      await live.close();
      expect(live.said()).toEqual(["не забыть"]);
    }
  });

  test("deletion is told to both, reading to the sender", async () => {
    const [a, b] = [await connect(url(), anna), await connect(url(), boris)];
    const first = (await say(url(), anna, boris, "один")).body.data.id;
    const second = (await say(url(), anna, boris, "два")).body.data.id;
    await ask(url(), "DELETE", `/messages/${first}`, { token: anna.token });
    for (const live of [a, b])
      expect((await live.next("message_deleted")).data).toEqual({ message_id: first, deleted_by: anna.id });
    await ask(url(), "POST", "/messages/mark-read", { token: boris.token, body: { sender_id: anna.id } });
    const { data } = await a.next("messages_read");
    expect(data).toMatchObject({ reader_id: boris.id, last_message_id: second });
    await a.close();
    await b.close();
    expect(b.events.filter(({ event }) => event === "messages_read")).toEqual([]);
  });

  test("typing reaches the receiver alone", async () => {
    const [a, b, v] = [await connect(url(), anna), await connect(url(), boris), await connect(url(), vera)];
    const data = { receiver_id: boris.id, is_typing: true };
    a.socket.send(JSON.stringify({ event: "typing", data }));
    expect((await b.next("typing")).data).toMatchObject({ user_id: anna.id, is_typing: true });
    for (const live of [a, b, v]) await live.close();
    expect([...a.events, ...v.events].filter(({ event }) => event === "typing")).toEqual([]);
  });

  test("a ping is answered in its own kind; what is not understood is told", async () => {
    const a = await connect(url(), anna);
    a.socket.send(JSON.stringify({ event: "ping" }));
    expect(await a.next("pong")).toEqual({ event: "pong", timestamp: expect.any(String) } as never);
    a.socket.send("ping");
    expect(await a.next("pong")).toEqual({ event: "pong", data: null });
    a.socket.send(JSON.stringify({ type: "ping" }));
    await until(() => a.events.some((each) => "type" in each && each.type === "pong"));
    for (const bad of ["{", "[]", '{"event":"nonsense"}', '{"event":"typing","data":{}}']) {
      a.socket.send(bad);
      expect((await a.next("error")).data.code).toBe("VAL_001");
    }
    await a.close();
  });

  test("the server pings within 26 seconds", async () => {
    const a = await connect(url(), anna);
    expect(await a.next("ping")).toEqual({ event: "ping", timestamp: expect.any(String) } as never);
    await a.close();
  });

  test("whoever floods is shut out", async () => {
    const a = await connect(url(), anna);
    for (let n = 0; n < 500; n++) a.socket.send('{"event":"pong"}');
    expect((await a.closed).code).toBe(1008);
  });
});

describe("presence", () => {
  const isOnline = async (person: Person) =>
    (await ask(url(), "GET", `/users/${person.id}`, { token: anna.token })).body.data.is_online;

  test("the first connection and the last one's end are told to all others; coming back within two seconds is not", async () => {
    for (const person of [anna, boris, vera]) await until(async () => !(await isOnline(person)));
    const watcher = await connect(url(), vera);
    const [one, two] = [await connect(url(), boris), await connect(url(), boris)];
    // Somebody who left just before may still be told of.
    let came = await watcher.next("user_status");
    while (came.data.user_id !== boris.id || !came.data.is_online) came = await watcher.next("user_status");
    expect(came.data).toEqual({ user_id: boris.id, is_online: true, last_seen: expect.any(String) });
    await until(() => isOnline(boris));
    const online = await ask(url(), "GET", "/users/?online_only=true", { token: anna.token });
    expect(online.body.data.map(({ id }: { id: number }) => id)).toEqual([boris.id, vera.id]);
    await one.close();
    await two.close();
    const back = await connect(url(), boris);
    await back.close();
    const went = await watcher.next("user_status");
    expect(went.data).toMatchObject({ user_id: boris.id, is_online: false });
    expect(await isOnline(boris)).toBe(false);
    await watcher.close();
    const told = watcher.events.slice(watcher.events.indexOf(came));
    expect(told.filter(({ event }) => event === "user_status")).toHaveLength(2);
    expect(back.events.some(({ data }) => data?.user_id === boris.id && data.is_online !== undefined)).toBe(
      false,
    );
  });
});

describe("resuming", () => {
  test("what was missed comes first, in order, then what comes live, without gap or repeat", async () => {
    const before = (await say(url(), anna, vera, "0")).body.data.id;
    for (let n = 1; n <= 250; n++) await say(url(), n % 2 ? anna : boris, vera, String(n));
    const sending = (async () => {
      for (let n = 251; n <= 400; n++) await say(url(), n % 2 ? anna : boris, vera, String(n));
    })();
    const live = await connect(url(), vera, `?since=${before}`);
    await sending;
    await until(() => live.said().length >= 400);
    await live.close();
    expect(live.said()).toEqual(Array.from({ length: 400 }, (_, n) => String(n + 1)));
  });

  test("deleted messages are not told again, and one's own login's messages neither", async () => {
    const before = (await say(url(), anna, vera, "since")).body.data.id;
    const gone = (await say(url(), anna, vera, "gone")).body.data.id;
    await say(url(), vera, anna, "own");
    await say(url(), anna, vera, "kept");
    await ask(url(), "DELETE", `/messages/${gone}`, { token: anna.token });
    const live = await connect(url(), vera, `?since=${before}`);
    await live.next("message_deleted");
    const elsewhere = await connect(
      url(),
      { ...vera, token: await enter(url(), "vera") },
      `?since=${before}`,
    );
    await elsewhere.next("message_deleted");
    await live.close();
    await elsewhere.close();
    expect(live.said()).toEqual(["kept"]);
    expect(elsewhere.said()).toEqual(["own", "kept"]);
  });

  test("500 sent at once arrive in the order of their ids", async () => {
    const live = await connect(url(), vera);
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => say(url(), n % 2 ? anna : boris, vera, `n${n}`)),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    await until(() => live.said().length >= 500);
    await live.close();
    const ids = live.events.filter(({ event }) => event === "new_message").map(({ data }) => data.id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids)).toEqual(new Set(answers.map(({ body }) => body.data.id)));
    const times = live.events
      .filter(({ event }) => event === "new_message")
      .map(({ data }) => data.timestamp);
    expect(new Set(times).size).toBe(500);
    expect(times).toEqual(times.toSorted());
  });

  test("sent twenty times at once under one name, a message is sent once", async () => {
    const live = await connect(url(), vera);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => say(url(), anna, vera, "once", { client_message_id: "the same" })),
    );
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    await say(url(), anna, vera, "after");
    await until(() => live.said().includes("after"));
    await live.close();
    expect(live.said()).toEqual(["once", "after"]);
  });
});

test("images go over the wire as the document has them, also one after the other", async () => {
  const live = await connect(url(), vera);
  const noise = randomBytes(3 * 900 * 900);
  const header = Buffer.from(bmpHeader(900, 900, noise.length));
  const png = await new Bun.Image(Buffer.concat([header, noise])).png().bytes();
  expect(png.length).toBeGreaterThan(1_000_000);
  const content = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  for (let n = 0; n < 5; n++)
    await say(url(), anna, vera, content, {
      message_type: "image",
      file_name: "n.png",
      file_size: png.length,
    });
  await until(() => live.said().length >= 5);
  await live.close();
  expect(live.said().every((each) => each === content)).toBe(true);
});

/** A BMP's header: 24 bits a pixel. */
function bmpHeader(width: number, height: number, size: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(54));
  view.setUint16(0, 0x424d);
  view.setUint32(2, 54 + size, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  return new Uint8Array(view.buffer);
}
