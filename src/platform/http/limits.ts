/** Rate limits: rules, a store of counters, and the headers that tell a client where it stands. */

/** A fixed window: `limit` requests in each `seconds`. */
export interface WindowRule {
  type: "window";
  limit: number;
  seconds: number;
}

/** A token bucket: `perSecond` requests a second on average, and up to `burst` more at once. */
export interface BucketRule {
  type: "bucket";
  perSecond: number;
  burst: number;
}

export type Rule = WindowRule | BucketRule;

export interface Verdict {
  allowed: boolean;
  /** Requests that the rule allows at once. */
  limit: number;
  remaining: number;
  /** When the whole limit is there again, in Unix seconds. */
  resetAt: number;
  /** Seconds until the next request is allowed; 0 when this one was. */
  retryAfter: number;
}

/** Counters by key. In memory, or shared between instances. */
export interface RateStore {
  /** Counts one request; `now` in milliseconds. */
  hit(key: string, rule: Rule, now: number): Verdict | Promise<Verdict>;
}

interface Counter {
  /** Requests of this window, or tokens that are taken from the bucket. */
  used: number;
  /** When the window began, or the bucket was last looked at; milliseconds. */
  since: number;
  /** After this nothing is left to remember; milliseconds. */
  until: number;
}

function hitWindow(counter: Counter, { limit, seconds }: WindowRule, now: number): Verdict {
  if (now >= counter.since + seconds * 1000) {
    counter.used = 0;
    counter.since = now;
  }
  counter.until = counter.since + seconds * 1000;
  const allowed = counter.used < limit;
  if (allowed) counter.used++;
  const wait = (counter.until - now) / 1000;
  return {
    allowed,
    limit,
    remaining: limit - counter.used,
    resetAt: Math.ceil(counter.until / 1000),
    retryAfter: allowed ? 0 : Math.ceil(wait),
  };
}

function hitBucket(counter: Counter, { perSecond, burst }: BucketRule, now: number): Verdict {
  const limit = perSecond + burst;
  counter.used = Math.max(0, counter.used - ((now - counter.since) / 1000) * perSecond);
  counter.since = now;
  const allowed = counter.used + 1 <= limit;
  if (allowed) counter.used++;
  const emptyIn = counter.used / perSecond;
  counter.until = now + emptyIn * 1000;
  return {
    allowed,
    limit,
    remaining: Math.max(0, Math.floor(limit - counter.used)),
    resetAt: Math.ceil(counter.until / 1000),
    retryAfter: allowed ? 0 : Math.ceil((counter.used + 1 - limit) / perSecond),
  };
}

/**
 * Counters in this process. Holds at most `maxKeys`: beyond that the key that was not seen for longest is forgotten, so that a flood of
 * addresses costs a bounded amount of memory.
 */
export function memoryStore({ maxKeys }: { maxKeys: number }): RateStore {
  // A Map keeps the order of insertion: a key that is hit moves to the end, so the first is the least recently seen.
  const counters = new Map<string, Counter>();

  function forgetOld(now: number): void {
    for (const [key, counter] of counters) {
      if (counter.until > now && counters.size <= maxKeys) return;
      counters.delete(key);
    }
  }

  return {
    hit(key, rule, now) {
      const counter = counters.get(key) ?? { used: 0, since: now, until: now };
      counters.delete(key);
      counters.set(key, counter);
      const verdict = rule.type === "window" ? hitWindow(counter, rule, now) : hitBucket(counter, rule, now);
      forgetOld(now);
      return verdict;
    },
  };
}

/** `X-RateLimit-*`, and `Retry-After` where the request was refused. */
export function limitHeaders({
  allowed,
  limit,
  remaining,
  resetAt,
  retryAfter,
}: Verdict): Record<string, string> {
  return {
    "X-RateLimit-Limit": String(limit),
    "X-RateLimit-Remaining": String(remaining),
    "X-RateLimit-Reset": String(resetAt),
    ...(allowed ? {} : { "Retry-After": String(Math.max(1, retryAfter)) }),
  };
}
