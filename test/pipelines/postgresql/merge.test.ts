/** Streams of lines become one, no line torn. */
import { expect, test } from "bun:test";
import { merged } from "../../../src/services/pipelines/connect/postgresql/merge.ts";

const noEnd = () => Promise.resolve();

/** Chunks that come one after the other, a turn of the event loop apart. */
async function* source(...chunks: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await Bun.sleep(1);
    if (chunk instanceof Error) throw chunk;
    yield Buffer.from(chunk);
  }
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += Buffer.from(chunk);
  return text;
}

test("every chunk comes once, and after a part of a line its rest", async () => {
  const sources = [
    source("a1\n", "a2 ", "goes ", "on\na3\n"),
    source("b1\n", "b2 ", "", "too\n", "b3\n"),
    source(),
    source("c1\n"),
  ];
  const lines = (await all(merged(sources, noEnd))).split("\n");
  expect(lines.toSorted()).toEqual(["", "a1", "a2 goes on", "a3", "b1", "b2 too", "b3", "c1"]);
  expect(await all(merged([], noEnd))).toBe("");
});

test("nobody who has chunks waits for who has none", async () => {
  const never = async function* (): AsyncGenerator<Uint8Array> {
    await new Promise(() => {});
  };
  const chunks = merged([never(), source("a\n", "b\n")], noEnd);
  expect(Buffer.from((await chunks.next()).value ?? []).toString()).toBe("a\n");
  expect(Buffer.from((await chunks.next()).value ?? []).toString()).toBe("b\n");
});

test("the sources are asked for one chunk each until somebody reads on", async () => {
  let asked = 0;
  const endless = async function* () {
    for (;;) {
      asked++;
      yield Buffer.from("line\n");
    }
  };
  const chunks = merged([endless(), endless(), endless()], noEnd);
  await chunks.next();
  await Bun.sleep(20);
  expect(asked).toBe(3);
  await chunks.next();
  await Bun.sleep(20);
  expect(asked).toBe(4);
});

test("an error, the end and leaving early end the sources", async () => {
  let ends = 0;
  const end = async () => ends++;
  const failing = merged([source("a\n", new Error("broken")), source("b\n", "c\n", "d\n")], end);
  await expect(all(failing)).rejects.toThrow("broken");
  expect(ends).toBe(1);
  await all(merged([source("a\n")], end));
  expect(ends).toBe(2);
  for await (const _ of merged([source("a\n", "b\n"), source("c\n")], end)) break;
  expect(ends).toBe(3);
});
