/** The way of messages into the database: whatever is sent while a transaction runs goes into the next one, so that one commit serves many. */
import { GroupCommit } from "../../../platform/database/group-commit.ts";
import { refusalOf } from "../../../platform/database/refusal.ts";
import { Failure, unavailable } from "../../../platform/http/failures.ts";
import type { Draft, Stored } from "./store.ts";

interface Pending {
  draft: Draft;
  size: number;
  resolve(stored: Stored): void;
  reject(error: unknown): void;
}

export interface SendQueueOptions {
  store(drafts: readonly Draft[]): Promise<(Stored | Failure)[]>;
  /** After the commit, before senders are answered: the order of the calls is that of the commits of this server. */
  onStored(stored: readonly { stored: Stored; draft: Draft }[]): void;
}

const mostAtOnce = 500;
const mostBytesAtOnce = 16 * 1024 * 1024;
const mostBytes = 128 * 1024 * 1024;
const draftOverhead = 300;

/** Whether PostgreSQL refused the data (classes 22, 23 and 54), so that surely nothing was stored. */
const isRefused = (error: unknown): boolean => /^(22|23|54)\w{3}$/.test(refusalOf(error).code);

const sizeOf = ({ body }: Draft): number =>
  draftOverhead + ("text" in body ? body.text.length : body.image.bytes.length);

export class SendQueue {
  private readonly options: SendQueueOptions;
  private readonly commits = new GroupCommit<Pending>({
    store: (batch) => this.storeBatch(batch),
    mostItems: mostAtOnce,
    mostBytes: mostBytesAtOnce,
  });

  constructor(options: SendQueueOptions) {
    this.options = options;
  }

  /** Stores a message; resolves after its commit. Fails with `MSG_002`, or `unavailable` when too much is waiting. */
  send(draft: Draft): Promise<Stored> {
    if (this.commits.bytes >= mostBytes)
      return Promise.reject(unavailable("Слишком много сообщений в очереди", { retryAfter: 1 }));
    return new Promise((resolve, reject) => {
      this.commits.add({ draft, size: sizeOf(draft), resolve, reject });
    });
  }

  private async storeBatch(batch: readonly Pending[]): Promise<void> {
    try {
      const results = await this.options.store(batch.map(({ draft }) => draft));
      const pairs = batch.map((pending, index) => ({ pending, result: results[index] }));
      this.options.onStored(
        pairs.flatMap(({ pending, result }) =>
          result === undefined || result instanceof Failure ? [] : [{ stored: result, draft: pending.draft }],
        ),
      );
      for (const { pending, result } of pairs)
        if (result === undefined || result instanceof Failure) pending.reject(result);
        else pending.resolve(result);
    } catch (error) {
      // One that the database refuses must not take the others with it. Of a lost connection nobody knows whether it had stored them: they are not stored again.
      if (batch.length > 1 && isRefused(error)) for (const one of batch) await this.storeBatch([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
