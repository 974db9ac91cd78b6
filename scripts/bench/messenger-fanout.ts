/**
 * Status events as the Messenger tells them, alone in a process. Prints its port; a line `N` on its input has it tell N of them to everybody, and it prints the
 * CPU seconds that took.
 */
import { createInterface } from "node:readline";
import {
  type Connection,
  Publisher,
  type Socket,
  socketHandler,
} from "../../src/platform/realtime/sockets.ts";
import { Statuses } from "../../src/services/messenger/live/statuses.ts";

const publisher = new Publisher();
const statuses = new Statuses(publisher);
const perTick = 20;

const connection = (): Connection => ({
  open(socket: Socket) {
    statuses.include({ member: null, mention() {}, subscribe: (channel) => socket.subscribe(channel) });
  },
});

const server = Bun.serve<Connection>({
  port: 0,
  hostname: "127.0.0.1",
  websocket: socketHandler,
  fetch: (request, here) =>
    here.upgrade(request, { data: connection() }) ? undefined : new Response(null, { status: 426 }),
});
publisher.bind(server);
console.log(server.port);

for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  for (let n = 0; n < Number(line); n++) {
    statuses.tell({ accountId: n, isOnline: n % 2 === 0, at: Date.now() });
    if (n % perTick === perTick - 1) await Bun.sleep(30);
  }
  const { user, system } = process.cpuUsage(before);
  console.log((user + system) / 1e6);
}
