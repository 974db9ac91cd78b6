/**
 * Rows as the bodies of INSERTs. Bun takes a body as fast as it is given, whether the connection has room or not: what it holds then is at most one of these, and the
 * next one begins when the server has taken the last.
 */

/** Bytes of a body, after which it ends with the row. ClickHouse makes a part of about as much anyway. */
const mostBytes = 32 << 20;
const lineFeed = 10;
const encoder = new TextEncoder();

/** Something of the caller's own failed while we asked it for rows; its `cause` is to be passed on as it is. */
export class SourceFailure extends Error {}

export class InsertBodies {
  /** Whether all rows are in the bodies that were given. */
  isOver = false;
  private readonly source: AsyncIterator<Uint8Array>;
  private rest: Uint8Array | null = null;

  constructor(rows: AsyncIterable<Uint8Array>) {
    this.source = rows[Symbol.asyncIterator]();
  }

  /** The statement, then the rows that come next. Ends at once when stopped, also while the source is stuck. */
  next(sql: string, stopped: AbortSignal): ReadableStream<Uint8Array> {
    const { promise: stop, reject } = Promise.withResolvers<never>();
    stop.catch(() => {});
    stopped.addEventListener("abort", () => reject(stopped.reason), { once: true });
    let isFirst = true;
    let left = mostBytes;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (isFirst) {
            isFirst = false;
            controller.enqueue(encoder.encode(`${sql}\n`));
            return;
          }
          try {
            const chunk = await Promise.race([this.take(), stop]);
            if (chunk === null) {
              controller.close();
              return;
            }
            left -= chunk.length;
            const end = left > 0 ? -1 : chunk.lastIndexOf(lineFeed);
            if (end === -1) controller.enqueue(chunk);
            else {
              controller.enqueue(chunk.subarray(0, end + 1));
              this.rest = chunk.subarray(end + 1);
              controller.close();
            }
          } catch (error) {
            controller.error(new SourceFailure("the rows ended with a failure", { cause: error }));
          }
        },
      },
      { highWaterMark: 1 },
    );
  }

  /** Tells the source that no more is wanted. Not awaited: one that is stuck must not hold up the end. */
  leave(): void {
    void this.source.return?.()?.catch(() => {});
  }

  private async take(): Promise<Uint8Array | null> {
    const { rest } = this;
    this.rest = null;
    if (rest !== null && rest.length > 0) return rest;
    const { done, value } = await this.source.next();
    if (done) this.isOver = true;
    return done ? null : value;
  }
}
