/** Anything a Worker reports when it cannot go on. */
export interface ThreadFailure {
  kind: "failure";
  message: string;
}

/** What a thread does for each request after the first message has set it up. */
export interface ThreadTask<Request, Reply> {
  run(request: Request): Reply;
  /** Closes every descriptor: the kernel keeps them for the process, not for the thread. */
  close(): void;
}

/** How long an ending thread gets to finish the system call that it is in, in milliseconds. */
const graceMs = 700;

interface End {
  kind: "end";
}

/**
 * The Worker's side of a {@link Thread}: the first message sets the task up, every further one is answered by it. What
 * it throws is reported as a failure.
 */
export function serveThread<Start, Request extends { kind: string }, Reply>(
  scope: Worker,
  begin: (start: Start) => ThreadTask<Request, Reply>,
): void {
  let task: ThreadTask<Request, Reply> | undefined;
  const serve = (request: Request | End) => {
    if (isEnd(request)) {
      task?.close();
      process.exit();
    }
    if (task !== undefined) scope.postMessage(task.run(request));
  };
  const reporting =
    <Message>(handle: (message: Message) => void) =>
    ({ data }: MessageEvent<Message>) => {
      try {
        handle(data);
      } catch (error) {
        scope.postMessage(failureOf(error));
      }
    };
  scope.onmessage = reporting<Start>((start) => {
    scope.onmessage = reporting(serve);
    task = begin(start);
  });
}

function isEnd(message: { kind: string }): message is End {
  return message.kind === "end";
}

/**
 * A Worker that is set up by one message, takes others and answers them. A Worker that dies, or that reports a
 * failure, is told through `onFailure`.
 */
export class Thread<Start, Request extends { kind: string }, Reply extends { kind: string }> {
  readonly #worker: Worker;

  constructor(
    url: string,
    start: Start,
    onMessage: (message: Reply) => void,
    onFailure: (error: Error) => void,
  ) {
    this.#worker = new Worker(url);
    this.#worker.onmessage = (event: MessageEvent<Reply | ThreadFailure>) => {
      const message = event.data;
      if (isFailure(message)) onFailure(new Error(message.message));
      else onMessage(message);
    };
    this.#worker.onerror = (event) => onFailure(new Error(event.message));
    this.#worker.postMessage(start);
  }

  post(message: Request): void {
    this.#worker.postMessage(message);
  }

  /**
   * Ends the thread after what it is doing; resolves when its descriptors are closed, or after {@link graceMs} where it
   * hangs in the kernel. It is not terminated, because it must close them itself; it does not keep the process alive.
   */
  async end(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    const patience = setTimeout(closed.resolve, graceMs);
    this.#worker.addEventListener("close", () => closed.resolve());
    const end: End = { kind: "end" };
    this.#worker.postMessage(end);
    this.#worker.unref();
    await closed.promise;
    clearTimeout(patience);
  }
}

function isFailure(message: { kind: string }): message is ThreadFailure {
  return message.kind === "failure";
}

function failureOf(error: unknown): ThreadFailure {
  return { kind: "failure", message: error instanceof Error ? error.message : String(error) };
}
