/** Rows counted and timed on their way. */
import type { RowStream } from "../connect/types.ts";

const newline = 10;

/** What has passed. */
export interface Passed {
  rows: number;
  bytes: number;
  /** Milliseconds that were spent waiting for the rows. */
  waited: number;
}

function newlinesIn(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) count++;
  return count;
}

/** The same rows, counted in `passed`. */
export function counted({ columns, chunks }: RowStream, passed: Passed, onPassed: () => void): RowStream {
  async function* through(): AsyncGenerator<Uint8Array> {
    let asked = performance.now();
    for await (const chunk of chunks) {
      passed.waited += performance.now() - asked;
      passed.rows += newlinesIn(chunk);
      passed.bytes += chunk.length;
      onPassed();
      yield chunk;
      asked = performance.now();
    }
    passed.waited += performance.now() - asked;
  }
  return { columns, chunks: through() };
}
