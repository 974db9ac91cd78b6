import { workerUrl } from "../../../platform/workers.ts";
import type { CommitMessage, CommitRequest, CommitStart } from "./commit.worker.ts";
import type { CopiedBatch } from "./copy.worker.ts";
import { Thread } from "./thread.ts";

/** So many batches may wait to become durable before copying waits too. */
const mostWaiting = 256;
/** Every commit costs the file system one of its own: many small ones cost more than the files. */
const pauseBetweenMs = 100;

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
  /** When the last commit ended, in milliseconds of the monotonic clock. */
  #lastEnd = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isUrgent = false;
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
    this.#isUrgent = true;
    this.#next();
    while (this.#running !== undefined || this.#waiting.length > 0) await this.#changed.promise;
    this.#isUrgent = false;
  }

  /** Runs a removal, with nothing else going on. */
  async remove(request: Exclude<CommitRequest, { kind: "commit" }>): Promise<void> {
    await this.drained();
    this.#running = [];
    this.#thread.post(request);
    await this.drained();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#thread.end();
  }

  #next(): void {
    if (this.#running !== undefined || this.#waiting.length === 0) return;
    const pauseMs = this.#lastEnd + pauseBetweenMs - performance.now();
    clearTimeout(this.#timer);
    if (pauseMs > 0 && !this.#isUrgent) {
      this.#timer = setTimeout(() => this.#next(), pauseMs);
      return;
    }
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
    this.#lastEnd = performance.now();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
