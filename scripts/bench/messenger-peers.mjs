/**
 * What the Messenger's fan-out is measured against: the `ws` library on Node doing the same. Usage: node messenger-peers.mjs. Prints its port; a line
 * `N` on its input has it tell N status events to everybody, and it prints the CPU seconds that took.
 */
import { createInterface } from "node:readline";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("listening", () => console.log(server.address().port));

const frame = (n) =>
  JSON.stringify({
    event: "user_status",
    data: { user_id: n, is_online: n % 2 === 0, last_seen: new Date().toISOString() },
  });

for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  for (let n = 0; n < Number(line); n++) {
    const text = frame(n);
    for (const client of server.clients) client.send(text);
    if (n % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  console.log((user + system) / 1e6);
}
