import { workerUrl } from "../../../platform/workers.ts";
import type { CopiedBatch, CopyBatch, CopyBytes, CopyMessage, CopyStart } from "./copy.worker.ts";
import type { CollectOptions } from "./options.ts";
import type { SourceRoot } from "./roots.ts";
import type { StopFlag } from "./stop-flag.ts";
import { Thread } from "./thread.ts";

/** What copying threads share, and who hears from them. */
export interface CopyPoolSetting {
  options: CollectOptions;
  work: string;
  roots: SourceRoot[];
  acceptsPresent: boolean;
  stop: StopFlag;
  onCopied(batch: CopiedBatch): void;
  onBytes(bytes: CopyBytes): void;
  onFailure(error: Error): void;
}

/** Copying is system time: more threads than this contend for the same directories. */
const mostThreads = 4;
/** One being copied, one waiting, so that no thread idles between messages. */
const batchesPerThread = 2;

interface Copier {
  thread: Thread<CopyStart, CopyBatch, CopyMessage>;
  batches: number;
}

/** The copying threads. */
export class CopyPool {
  readonly #copiers: Copier[];
  #changed = Promise.withResolvers<void>();

  constructor(setting: CopyPoolSetting) {
    const count = Math.max(1, Math.min(mostThreads, navigator.hardwareConcurrency));
    this.#copiers = Array.from({ length: count }, () => this.#start(setting));
  }

  /** Hands a batch to the thread with the least to do, as soon as one has room. */
  async submit(batch: CopyBatch): Promise<void> {
    let copier = this.#leastBusy();
    while (copier.batches >= batchesPerThread) {
      await this.#changed.promise;
      copier = this.#leastBusy();
    }
    copier.batches++;
    copier.thread.post(batch);
  }

  /** Resolves when no thread has anything left to do. */
  async idle(): Promise<void> {
    while (this.#copiers.some(({ batches }) => batches > 0)) await this.#changed.promise;
  }

  async end(): Promise<void> {
    await Promise.all(this.#copiers.map(({ thread }) => thread.end()));
  }

  #start(setting: CopyPoolSetting): Copier {
    const { options, work, roots, acceptsPresent, stop } = setting;
    const url = workerUrl("services/collector/collect/copy.worker");
    const settle = () => {
      copier.batches--;
      this.#wake();
    };
    const onMessage = (message: CopyMessage) => {
      if (message.kind === "bytes") return setting.onBytes(message);
      if (message.kind === "copied") setting.onCopied(message);
      settle();
    };
    const onFailure = (error: Error) => {
      setting.onFailure(error);
      settle();
    };
    const start = { options, work, roots, acceptsPresent, stop };
    const copier: Copier = { thread: new Thread(url, start, onMessage, onFailure), batches: 0 };
    return copier;
  }

  #leastBusy(): Copier {
    return this.#copiers.reduce((least, copier) => (copier.batches < least.batches ? copier : least));
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
