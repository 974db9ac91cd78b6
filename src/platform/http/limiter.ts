/** Counts requests against limits and tells the client where it stands. */
import { tooMany } from "./failures.ts";
import { limitHeaders, type RateStore, type Rule } from "./limits.ts";

export interface Limit {
  rule: Rule;
  /** What a client over the limit is told. */
  message: string;
}

export class Limiter {
  private readonly store: RateStore | null;
  private readonly now: () => number;

  /** `store` null: no limits at all (`RATE_LIMITS=off`). `now` gives milliseconds. */
  constructor(store: RateStore | null, now: () => number) {
    this.store = store;
    this.now = now;
  }

  /** Counts one request of `key`; answers the headers of the reply. Fails with `tooMany` over the limit. */
  async count(key: string, { rule, message }: Limit): Promise<Record<string, string>> {
    if (!this.store) return {};
    const verdict = await this.store.hit(key, rule, this.now());
    const headers = limitHeaders(verdict);
    if (!verdict.allowed) throw tooMany(message, { headers });
    return headers;
  }
}
