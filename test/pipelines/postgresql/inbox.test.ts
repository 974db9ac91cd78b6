/** Messages are the same however the network cuts them. */
import { expect, test } from "bun:test";
import { Inbox } from "../../../src/services/pipelines/connect/postgresql/inbox.ts";
import { byteOf, message } from "../../../src/services/pipelines/connect/postgresql/messages.ts";

/** What comes out: messages as text, the rows of a COPY joined. */
function receive(bytes: Buffer, piece: (at: number) => number): string[] {
  const inbox = new Inbox();
  const received: string[] = [];
  let rows = "";
  const take = () => {
    for (let each = inbox.take(); each; each = inbox.take())
      if (each.type === byteOf("d")) rows += Buffer.from(each.body).toString("latin1");
      else {
        received.push(rows, `${String.fromCharCode(each.type)} ${Buffer.from(each.body).toString("latin1")}`);
        rows = "";
      }
  };
  for (let at = 0; at < bytes.length; ) {
    const end = at + piece(at);
    inbox.feed(new Uint8Array(bytes.subarray(at, end)));
    at = end;
    take();
  }
  expect(inbox.size).toBe(0);
  return received;
}

test("messages come out whole", () => {
  const rows = [0, 1, 5, 127, 128, 129, 300].map((length) =>
    message("d", Buffer.alloc(length, `<${length}>`)),
  );
  const bytes = Buffer.concat([
    message("H", Buffer.from("head")),
    ...rows,
    message("N", Buffer.from("notice")),
    ...rows.toReversed(),
    message("c"),
    message("C", Buffer.from("COPY 14\0")),
    message("Z", Buffer.from("I")),
  ]);
  const whole = receive(bytes, () => bytes.length);
  expect(whole.filter(Boolean).map((each) => each.slice(0, 1))).toEqual(["H", "<", "N", "<", "c", "C", "Z"]);
  for (let length = 1; length < 200; length++) expect(receive(bytes, () => length)).toEqual(whole);
});

test("rows fill blocks of 1 MB, and one that is larger comes in several", () => {
  const inbox = new Inbox();
  const row = message("d", Buffer.alloc(1_000, "x"));
  const large = message("d", Buffer.alloc(5_000_000, "y"));
  const sizes: number[] = [];
  let total = 0;
  for (const bytes of [...Array.from({ length: 3_000 }, () => row), large, message("c")]) {
    for (let at = 0; at < bytes.length; at += 65_536)
      inbox.feed(new Uint8Array(bytes.subarray(at, at + 65_536)));
    for (let each = inbox.take(); each; each = inbox.take()) {
      sizes.push(each.body.length);
      total += each.body.length;
    }
  }
  expect(total).toBe(8_000_000);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024);
  expect(sizes.length).toBeLessThan(12);
});

test("a row that fits into a block is not spread over two", () => {
  for (const length of [10, 127, 128, 999, 65_536, 1024 * 1024]) {
    const row = message("d", Buffer.alloc(length, "x"));
    const bytes = Buffer.concat(Array.from({ length: Math.ceil(3_000_000 / length) }, () => row));
    const inbox = new Inbox();
    for (let at = 0; at < bytes.length; at += 65_536)
      inbox.feed(new Uint8Array(bytes.subarray(at, at + 65_536)));
    inbox.feed(message("c"));
    for (let each = inbox.take(); each; each = inbox.take()) expect(each.body.length % length).toBe(0);
  }
});

test("lengths that cannot be are refused", () => {
  for (const length of [3, -1, 0x7fffffff]) {
    const bytes = Buffer.from("R\0\0\0\0");
    bytes.writeInt32BE(length, 1);
    expect(() => new Inbox().feed(new Uint8Array(bytes))).toThrow("does not speak");
  }
});
