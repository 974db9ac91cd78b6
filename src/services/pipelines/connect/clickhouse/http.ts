/** ClickHouse's HTTP interface. User and password go in headers, the statement in the body: neither is in a URL that somebody logs. */
import { ConnectorError, type ConnectorOptions } from "../connector.ts";
import { exceptionText, failureOf } from "./failures.ts";
import { InsertBodies, SourceFailure } from "./insert-bodies.ts";
import { literal } from "./sql.ts";

const chunkBytes = 1024 * 1024;
const killTimeout = 2_000;
/** How far back from the end of an answer an exception is looked for; longer ones than this are not known. */
const tailBytes = 16 * 1024;

export interface AskOptions {
  signal: AbortSignal;
  /** Milliseconds until the answer is complete; without it the signal alone decides. */
  timeout?: number;
}

export interface StreamOptions extends AskOptions {
  /** Columns of the answer; tell an exception from a last row. */
  width: number;
}

const decoder = new TextDecoder();

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Headers carry bytes, of which fetch takes each as a character. */
const headerText = (text: string): string => Buffer.from(text).toString("latin1");

export class ClickHouseHttp {
  /** The database that names without one belong to. */
  readonly database: string;
  private readonly origin: string;
  private readonly headers: Record<string, string>;

  /** Throws `ConnectorError` "unsupported" when the host or the port is none. Connects to nothing yet. */
  constructor({ config, credentials }: ConnectorOptions) {
    const secure = config.secure === true;
    const port = Number(config.port ?? (secure ? 8443 : 8123));
    const host = textOf(config.host);
    const url = URL.parse(
      `${secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    );
    // A host such as `a@b/c` would send credentials elsewhere than it seems.
    if (!url || !/^[\w.:-]+$/.test(host))
      throw new ConnectorError("unsupported", "ClickHouse's host or port is not valid");
    this.origin = url.origin;
    this.database = textOf(config.database) || "default";
    this.headers = { "X-ClickHouse-User": headerText(textOf(credentials.username) || "default") };
    const password = textOf(credentials.password);
    if (password !== "") this.headers["X-ClickHouse-Key"] = headerText(password);
  }

  /** Runs a statement and answers its whole output. Throws `ConnectorError`, or the signal's reason. */
  async text(sql: string, options: AskOptions): Promise<string> {
    const request = this.begin(options);
    try {
      const response = await request.send(sql, { wait_end_of_query: "1" });
      return await response.text();
    } catch (error) {
      throw await request.failed(error);
    } finally {
      request.end();
    }
  }

  /**
   * Runs a SELECT … FORMAT TabSeparated and answers its output in chunks of about 1 MB. The first promise fails for what is wrong with the statement.
   *
   * A server that fails while rows are on their way has said 200 already and writes the exception where the next row would be. So the last line is looked at: one that reads
   * as an exception and has not the answer's number of fields is one. An answer of one column could hold such a text; there the server is asked
   * to hold the answer back until its end (`wait_end_of_query`; on its disk) and says the right status.
   */
  async chunks(sql: string, options: StreamOptions): Promise<AsyncIterable<Uint8Array>> {
    const request = this.begin(options);
    try {
      const isHeldBack = options.width < 2;
      const response = await request.send(sql, isHeldBack ? { wait_end_of_query: "1" } : {});
      if (!response.body) throw new ConnectorError("refused", "ClickHouse answered without a body");
      return read(response.body, request, isHeldBack ? null : options.width);
    } catch (error) {
      const failure = await request.failed(error);
      request.end();
      throw failure;
    }
  }

  /**
   * Runs `INSERT … FORMAT TabSeparated` with these rows, several times if they are many, asked for as fast as the server takes them. When it throws, some of them may have been
   * inserted.
   */
  async insert(sql: string, rows: AsyncIterable<Uint8Array>, options: AskOptions): Promise<void> {
    const bodies = new InsertBodies(rows);
    try {
      while (!bodies.isOver) await this.insertOne(sql, bodies, options);
    } finally {
      bodies.leave();
    }
  }

  private async insertOne(sql: string, bodies: InsertBodies, options: AskOptions): Promise<void> {
    const request = this.begin(options);
    try {
      await (await request.send(bodies.next(sql, request.stopped), {})).text();
    } catch (error) {
      throw await request.failed(error);
    } finally {
      request.end();
    }
  }

  private begin(options: AskOptions): Request {
    return new Request(this.origin, this.headers, this.database, options);
  }
}

/** One statement on its way. */
class Request {
  private readonly id: string = crypto.randomUUID();
  private readonly controller = new AbortController();
  /** Aborted when the statement is to end, for whatever reason. */
  readonly stopped: AbortSignal = this.controller.signal;
  private readonly signal: AbortSignal;
  private readonly timer: ReturnType<typeof setTimeout> | undefined;
  private readonly address: string;
  private readonly headers: Record<string, string>;
  private readonly database: string;
  private isTimedOut = false;
  private isSent = false;
  private readonly stop = (): void => this.controller.abort();

  constructor(address: string, headers: Record<string, string>, database: string, options: AskOptions) {
    this.address = address;
    this.headers = headers;
    this.database = database;
    this.signal = options.signal;
    this.signal.addEventListener("abort", this.stop);
    if (options.timeout !== undefined)
      this.timer = setTimeout(() => {
        this.isTimedOut = true;
        this.stop();
      }, options.timeout);
  }

  async send(
    body: string | ReadableStream<Uint8Array>,
    parameters: Record<string, string>,
  ): Promise<Response> {
    this.signal.throwIfAborted();
    this.isSent = true;
    const query = new URLSearchParams({ query_id: this.id, database: this.database, ...parameters });
    const response = await fetch(`${this.address}/?${query}`, {
      method: "POST",
      headers: this.headers,
      body,
      redirect: "error",
      signal: this.controller.signal,
      // Bun's own limit of five minutes.
      timeout: false,
    } as RequestInit);
    if (!response.ok) throw failureOf(await response.text());
    return response;
  }

  /** The failure to throw; the statement is ended at the server when it might still run. */
  async failed(error: unknown): Promise<unknown> {
    if (error instanceof ConnectorError) return error;
    if (this.isSent) await this.kill();
    if (this.signal.aborted) return this.signal.reason;
    if (this.isTimedOut) return new ConnectorError("unreachable", "ClickHouse did not answer in time");
    if (error instanceof SourceFailure) return error.cause;
    return new ConnectorError("unreachable", `ClickHouse cannot be reached: ${reasonOf(error)}`, error);
  }

  /** Ends the statement at the server, and the connection. Never throws; ends within moments. */
  async kill(): Promise<void> {
    this.stop();
    const sql = `KILL QUERY WHERE query_id = ${literal(this.id)} ASYNC`;
    const { address, headers } = this;
    const signal = AbortSignal.timeout(killTimeout);
    await fetch(address, { method: "POST", headers, body: sql, signal, redirect: "error" })
      .then((response) => response.text())
      .catch(() => {});
  }

  end(): void {
    clearTimeout(this.timer);
    this.signal.removeEventListener("abort", this.stop);
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "the connection failed";

/** Joins what arrives into chunks. The last `tailBytes` wait for the end, which may be an exception (`width` null: cannot be). */
async function* read(
  body: ReadableStream<Uint8Array>,
  request: Request,
  width: number | null,
): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let length = 0;
  let isOver = false;
  try {
    for await (const part of body) {
      pending.push(part);
      length += part.length;
      if (length < chunkBytes + tailBytes) continue;
      const joined = Buffer.concat(pending);
      yield joined.subarray(0, joined.length - tailBytes);
      pending = [joined.subarray(joined.length - tailBytes)];
      length = tailBytes;
    }
    isOver = true;
    const rest = Buffer.concat(pending);
    const exception = width === null ? null : exceptionIn(rest, width);
    if (exception !== null) throw failureOf(exception);
    if (rest.length > 0) yield rest;
  } catch (error) {
    isOver = true;
    throw await request.failed(error);
  } finally {
    if (!isOver) await request.kill();
    request.end();
  }
}

/** The exception that an answer ends with, or null. */
function exceptionIn(tail: Uint8Array, width: number): string | null {
  const text = decoder.decode(tail.subarray(-tailBytes));
  const start = text.lastIndexOf("Code: ");
  if (start < 0 || exceptionText.exec(text.slice(start))?.index !== 0) return null;
  const line = text.slice(text.lastIndexOf("\n", start) + 1).replace(/\n$/, "");
  return line.includes("\n") || line.split("\t").length !== width ? text.slice(start) : null;
}
