/**
 * Tells other servers that there is something for accounts: numbers, not messages, a hundred times a second at most, after the commit. A notification that gets
 * lost is made up for by the hub's own looking.
 */
import type { Topics } from "../../../platform/realtime/topics.ts";
import type { Told } from "../messages/store.ts";

const toldTopic = "messenger-told";
const typingTopic = "messenger-typing";
const flushMilliseconds = 10;
/** Numbers of one notification: it holds less than 8,000 bytes. */
const toldAtOnce = 250;

/** Account and number. */
type Pair = [accountId: number, seq: number];

interface Typing {
  to: number;
  frame: string;
}

export interface RelayOptions {
  topics: Topics;
  /** Whether there is nobody to be told. */
  isAlone(): boolean;
  onTold(accountId: number, seq: number): void;
  onTyping(to: number, frame: string): void;
  /** Something may have been missed. */
  onResync(): void;
  onError(error: unknown): void;
}

export class Relay {
  private readonly options: RelayOptions;
  private readonly pending = new Map<number, number>();
  private timer: Timer | null = null;

  constructor(options: RelayOptions) {
    this.options = options;
  }

  start(): void {
    const { topics, onTold, onTyping, onResync } = this.options;
    topics.subscribe<Pair[]>(toldTopic, (pairs) => {
      for (const [accountId, seq] of pairs) onTold(accountId, seq);
    });
    topics.subscribe<Typing>(typingTopic, ({ to, frame }) => onTyping(to, frame));
    topics.onResync(onResync);
  }

  told(told: readonly Told[]): void {
    if (this.options.isAlone()) return;
    for (const { accountId, seq } of told)
      this.pending.set(accountId, Math.max(seq, this.pending.get(accountId) ?? 0));
    if (this.pending.size > 0) this.timer ??= setTimeout(() => this.flush(), flushMilliseconds);
  }

  typing(to: number, frame: string): void {
    if (this.options.isAlone()) return;
    const message: Typing = { to, frame };
    this.options.topics.broadcastToOthers(typingTopic, message).catch(this.options.onError);
  }

  private flush(): void {
    this.timer = null;
    const pairs: Pair[] = [...this.pending];
    this.pending.clear();
    for (let at = 0; at < pairs.length; at += toldAtOnce)
      this.options.topics
        .broadcastToOthers(toldTopic, pairs.slice(at, at + toldAtOnce))
        .catch(this.options.onError);
  }
}
