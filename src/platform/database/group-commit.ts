/** One commit for many: whatever comes in while a batch is stored goes into the next one. One batch at a time is on its way. */
import { Wakeable } from "../wakeable.ts";

export interface GroupCommitOptions<T> {
  /** Stores a batch and tells whoever waits for it. Does not reject. */
  store(batch: T[]): Promise<void>;
  /** How many go together at most, and how many bytes; one that is larger goes alone. */
  mostItems: number;
  mostBytes: number;
}

export class GroupCommit<T extends { size: number }> {
  private readonly options: GroupCommitOptions<T>;
  private readonly flushing = new Wakeable(() => this.flush());
  private pending: T[] = [];
  private waiting = 0;

  constructor(options: GroupCommitOptions<T>) {
    this.options = options;
  }

  /** Bytes that wait or are being stored. */
  get bytes(): number {
    return this.waiting;
  }

  add(item: T): void {
    this.waiting += item.size;
    this.pending.push(item);
    this.flushing.wake();
  }

  private async flush(): Promise<void> {
    // What arrives in the same turn of the event loop goes together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.pending.length > 0) {
      const batch = this.take();
      await this.options.store(batch);
      for (const { size } of batch) this.waiting -= size;
    }
  }

  private take(): T[] {
    const { mostItems, mostBytes } = this.options;
    let bytes = 0;
    let count = 0;
    for (const { size } of this.pending) {
      if (count >= mostItems || (count > 0 && bytes + size > mostBytes)) break;
      bytes += size;
      count++;
    }
    return this.pending.splice(0, count);
  }
}
