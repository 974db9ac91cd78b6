/** Counts requests against limits and tells the client where it stands. */
import { tooMany } from "./failures.ts";
import { limitHeaders, type RateStore, type Rule, type Verdict } from "./limits.ts";

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

  /**
   * Counts one request of `key`, which is asked for only where there are limits, and puts where it stands into `headers`. Fails with `tooMany`
   * over the limit. With counters in memory there is nothing to wait for.
   */
  count(key: () => string, { rule, message }: Limit, headers: object): void | Promise<void> {
    if (!this.store) return;
    const settle = (verdict: Verdict) => {
      const told = limitHeaders(verdict);
      if (!verdict.allowed) throw tooMany(message, { headers: told });
      Object.assign(headers, told);
    };
    const verdict = this.store.hit(key(), rule, this.now());
    return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
  }
}
