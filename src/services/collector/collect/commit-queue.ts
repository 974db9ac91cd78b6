import { workerUrl } from "../../../platform/workers.ts";
import type { CommitMessage, CommitRequest, CommitStart } from "./commit.worker.ts";
import type { CopiedBatch } from "./copy.worker.ts";
import { Thread } from "./thread.ts";

/** So many batches may wait to become durable before copying waits too. */
const mostWaiting = 256;

/** Who hears what became durable, and what failed. */
export interface CommitListener {
  onCommitted(batches: CopiedBatch[]): void;
  onFailure(error: Error): void;
}

/**
 * Makes batches durable, all that have gathered at a time: one syncfs serves however many files were copied during the
 * one before it.
 */
export class CommitQueue {
  readonly #thread: Thread<CommitStart, CommitRequest, CommitMessage>;
  readonly #listener: CommitListener;
  #waiting: CopiedBatch[] = [];
  #running: CopiedBatch[] | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(start: CommitStart, listener: CommitListener) {
    const url = workerUrl("services/collector/collect/commit.worker");
    const onFailure = (error: Error) => {
      listener.onFailure(error);
      this.#settle();
    };
    this.#thread = new Thread(url, start, (message) => this.#onMessage(message), onFailure);
    this.#listener = listener;
  }

  /** Adds a finished batch. */
  push(batch: CopiedBatch): void {
    this.#waiting.push(batch);
    this.#next();
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.#waiting.length >= mostWaiting) await this.#changed.promise;
  }

  /** Resolves when all that was pushed is durable. */
  async drained(): Promise<void> {
    while (this.#running !== undefined || this.#waiting.length > 0) await this.#changed.promise;
  }

  /** Runs a removal, with nothing else going on. */
  async remove(request: Exclude<CommitRequest, { kind: "commit" }>): Promise<void> {
    await this.drained();
    this.#running = [];
    this.#thread.post(request);
    await this.drained();
  }

  end(): void {
    this.#thread.end();
  }

  #next(): void {
    if (this.#running !== undefined || this.#waiting.length === 0) return;
    this.#running = this.#waiting;
    this.#waiting = [];
    this.#thread.post({ kind: "commit", lines: this.#running.map(({ lines }) => lines) });
  }

  #onMessage({ kind }: CommitMessage): void {
    const committed = this.#running ?? [];
    this.#settle();
    if (kind === "stopped") return;
    this.#listener.onCommitted(committed);
    this.#next();
  }

  #settle(): void {
    this.#running = undefined;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
