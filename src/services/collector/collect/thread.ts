/** Anything a Worker reports when it cannot go on. */
export interface ThreadFailure {
  kind: "failure";
  message: string;
}

/**
 * A Worker that takes messages of one type and answers with another. A Worker that dies, or that reports a failure,
 * is told once through `onFailure`.
 */
export class Thread<In, Out extends { kind: string }> {
  readonly #worker: Worker;

  constructor(url: string, onMessage: (message: Out) => void, onFailure: (error: Error) => void) {
    this.#worker = new Worker(url);
    this.#worker.onmessage = (event: MessageEvent<Out | ThreadFailure>) => {
      const message = event.data;
      if (isFailure(message)) onFailure(new Error(message.message));
      else onMessage(message);
    };
    this.#worker.onerror = (event) => onFailure(new Error(event.message));
  }

  post(message: In): void {
    this.#worker.postMessage(message);
  }

  /** Ends the thread. What it holds open is released with it. */
  end(): void {
    this.#worker.terminate();
  }
}

function isFailure(message: { kind: string }): message is ThreadFailure {
  return message.kind === "failure";
}

/** The message that a failed thread sends. */
export function failureOf(error: unknown): ThreadFailure {
  return { kind: "failure", message: error instanceof Error ? error.message : String(error) };
}
