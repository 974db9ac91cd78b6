/** A client that does not read is told nothing more after a while, is closed with 1013, and finds all it missed when it comes back. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect as connectTcp, type Socket } from "node:net";
import { until } from "../support/logger.ts";
import { connect, join, type Person, say } from "../support/messenger.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let anna: Person;
let boris: Person;

beforeAll(async () => {
  server = await startTestServer();
  [anna, boris] = [await join(server.url, "anna"), await join(server.url, "boris")];
});

afterAll(() => server.stop());

/** A WebSocket by hand, so that it can be left unread. */
async function handshake({ id, token }: Person): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  socket.write(
    `GET /ws/${id}?token=${token} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

test("closed with 1013, resumed without loss", async () => {
  const first = (await say(server.url, anna, boris, "first")).body.data.id;
  const socket = await handshake(boris);
  socket.pause();
  const count = 1_000;
  const content = (n: number) => `${n} ${"ё".repeat(9_900)}`;
  for (let n = 0; n < count; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, at) => say(server.url, anna, boris, content(n + at))));
  await Bun.sleep(23_000);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
  const received = Buffer.concat(chunks);
  expect(received.length).toBeLessThan(count * 19_000);
  const close = received.lastIndexOf(Buffer.from([0x03, 0xf5]));
  expect(received.length - close).toBeLessThan(125);
  expect(received[close - 2]).toBe(0x88);
  const back = await connect(server.url, boris, `?since=${first}`);
  await until(() => back.said().length >= count);
  await back.close();
  expect(new Set(back.said())).toEqual(new Set(Array.from({ length: count }, (_, n) => content(n))));
  expect(back.said()).toHaveLength(count);
});
