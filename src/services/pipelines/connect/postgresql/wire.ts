/**
 * A session with a PostgreSQL server over its protocol 3.0 (PostgreSQL documentation, chapter "Frontend/Backend Protocol"). One statement at a time. What the server
 * refuses is a `PostgresError`, what cannot be reached or logged into a `ConnectorError`; an aborted session throws its signal's reason.
 */
import type { Channel } from "./channel.ts";
import { CopyTextBlock } from "./copy-text.ts";
import { logIn, type Progress, type SessionOptions } from "./login.ts";
import {
  BodyReader,
  bind,
  byteOf,
  copyDone,
  copyFail,
  describe,
  execute,
  type Field,
  flush,
  int32,
  message,
  type Parameter,
  type PostgresError,
  parse,
  readFields,
  readRow,
  sync,
  text,
  types,
} from "./messages.ts";

/** What a statement answered. */
export interface Result {
  columns: string[];
  rows: (string | null)[][];
  /** Rows that were read or written, where the server tells. */
  count: number;
}

const rowsAtOnce = 10_000;
const dataByte = Buffer.from([byteOf("d")]);
const runToEnd = Buffer.concat([execute(0), sync]);
const runStep = Buffer.concat([execute(rowsAtOnce), flush]);

export class Session {
  private readonly channel: Channel;
  private isBusy = false;

  private constructor(channel: Channel) {
    this.channel = channel;
  }

  /** Connects and logs in: see `logIn`. */
  static async open(options: SessionOptions, signal: AbortSignal, progress?: Progress): Promise<Session> {
    return new Session(await logIn(options, signal, progress));
  }

  /** Whether nothing more can be asked. */
  get isClosed(): boolean {
    return this.channel.isClosed;
  }

  /** One or more statements without parameters; answers the last one's rows. */
  async query(sql: string): Promise<Result> {
    return await this.alone(message("Q", text(sql)), () => this.result());
  }

  /** One statement with bound values. Only the first `mostRows` rows are asked for; 0 is all. */
  async ask(sql: string, parameters: readonly Parameter[] = [], mostRows = 0): Promise<Result> {
    const bytes = Buffer.concat([parse(sql), bind(parameters), describe("P"), execute(mostRows), sync]);
    return await this.alone(bytes, () => this.result());
  }

  /** What a single statement wants and answers, without running it. `fields` is null when it answers no rows. */
  async describe(sql: string): Promise<{ parameters: number[]; fields: Field[] | null }> {
    return await this.alone(Buffer.concat([parse(sql), describe("S"), sync]), async () => {
      let parameters: number[] = [];
      let fields: Field[] | null = null;
      await this.channel.cycle(({ type, body }) => {
        if (type === types.parameters) {
          const reader = new BodyReader(body);
          parameters = Array.from({ length: reader.int16() }, () => reader.oid());
        } else if (type === types.fields) fields = readFields(body);
      });
      return { parameters, fields };
    });
  }

  /**
   * The data of `COPY … TO STDOUT` in chunks of about 1 MB. The server waits while nobody reads on; leaving the loop before its end ends the session.
   */
  copyOut(sql: string): AsyncGenerator<Uint8Array> {
    return this.stream(Buffer.concat([parse(sql), bind([]), runToEnd]), new Copied());
  }

  /** The rows of a query with bound values, as COPY would write them, fetched in steps in a transaction of the caller. Otherwise as `copyOut`. */
  rowsOut(
    sql: string,
    parameters: readonly Parameter[],
    parameterTypes: readonly number[],
  ): AsyncGenerator<Uint8Array> {
    return this.stream(Buffer.concat([parse(sql, parameterTypes), bind(parameters), runStep]), new Fetched());
  }

  /** `COPY … FROM STDIN`: sends what it is given, as fast as the server takes it; answers how many rows were stored. When `chunks` throws, nothing is. */
  async copyIn(sql: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    return await this.alone(message("Q", text(sql)), async () => {
      const { channel } = this;
      let first = await channel.next();
      if (first.type === types.copyIn) {
        first = (await this.sendAll(chunks)) ?? first;
        await channel.send(copyDone);
      }
      let count = 0;
      await channel.cycle(({ type, body }) => {
        if (type === types.complete) count = countOf(body);
      }, first);
      return count;
    });
  }

  /** Says goodbye. A session in the middle of something is broken off. */
  async close(): Promise<void> {
    await (this.isBusy ? this.channel.break() : this.channel.close());
  }

  /** Stops early, with the server's error, when it refuses what it gets. */
  private async sendAll(chunks: AsyncIterable<Uint8Array>) {
    const { channel } = this;
    try {
      for await (const chunk of chunks) {
        if (chunk.length === 0) continue;
        await channel.send(Buffer.concat([dataByte, int32(chunk.length + 4)]));
        await channel.send(chunk);
        const refusal = channel.takeError();
        if (refusal) return refusal;
      }
      return null;
    } catch (error) {
      channel.throwIfClosed();
      await channel.send(copyFail);
      // The server's error says that we failed; why we did is better known here.
      await channel.cycle(() => {}).catch(() => {});
      throw error;
    }
  }

  private begin(): void {
    this.channel.throwIfClosed();
    if (this.isBusy) throw new Error("a session does one thing at a time");
    this.isBusy = true;
  }

  private async alone<T>(bytes: Uint8Array, answer: () => Promise<T>): Promise<T> {
    this.begin();
    try {
      await this.channel.send(bytes);
      return await answer();
    } finally {
      this.isBusy = false;
    }
  }

  private async *stream(bytes: Uint8Array, format: Format): AsyncGenerator<Uint8Array> {
    const { channel } = this;
    this.begin();
    let error: PostgresError | null = null;
    let isOver = false;
    try {
      await channel.send(bytes);
      for (;;) {
        const { type, body } = await channel.next(error);
        if (type === types.ready) break;
        if (type === types.error) error ??= channel.errorOf(body);
        const reply = format.replies[type];
        if (reply) await channel.send(reply);
        const chunk = format.take(type, body);
        if (chunk) yield chunk;
      }
      isOver = true;
      if (error) throw error;
    } finally {
      this.isBusy = false;
      if (!isOver) await channel.break();
    }
  }

  private async result(): Promise<Result> {
    const result: Result = { columns: [], rows: [], count: 0 };
    await this.channel.cycle(({ type, body }) => {
      if (type === types.fields) {
        result.columns = readFields(body).map(({ name }) => name);
        result.rows = [];
      } else if (type === types.row) result.rows.push(readRow(body));
      else if (type === types.complete) result.count = countOf(body);
    });
    return result;
  }
}

/** How rows come out of a stream's messages. */
interface Format {
  /** What is answered to a message, by its type. */
  replies: Record<number, Uint8Array>;
  /** A chunk that a message fills or ends; null for none. */
  take(type: number, body: Uint8Array): Uint8Array | null;
}

/** COPY's own data. */
class Copied implements Format {
  readonly replies = {};

  take(type: number, body: Uint8Array): Uint8Array | null {
    return type === types.copyData ? body : null;
  }
}

/** Rows of a portal, a step at a time. */
class Fetched implements Format {
  readonly replies = { [types.suspended]: runStep, [types.complete]: sync, [types.error]: sync };
  private readonly block = new CopyTextBlock();

  take(type: number, body: Uint8Array): Uint8Array | null {
    if (type === types.row) this.block.add(body);
    const isEnd = type === types.complete && !this.block.isEmpty;
    return isEnd || this.block.isFull ? this.block.release() : null;
  }
}

/** The number at the end of `COPY 5`, `INSERT 0 5`, `SELECT 5`. */
const countOf = (body: Uint8Array): number =>
  Number(/(\d+)\0?$/.exec(Buffer.from(body).toString())?.[1] ?? 0);
