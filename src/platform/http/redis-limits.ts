/** Counters of rate limits in Redis, so that all instances share them. Each hit is one script, and so one atomic step. */
import { RedisConnection } from "../redis-connection.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import { memoryStore, type RateStore, type Rule, type Verdict } from "./limits.ts";

/** Answers allowed, requests used (thousandths for a bucket), milliseconds until the window ends or the bucket is empty. */
const windowScript = `
local used = tonumber(redis.call("GET", KEYS[1]) or "0")
local limit, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local allowed = 0
if used < limit then
  allowed = 1
  used = redis.call("INCR", KEYS[1])
  if used == 1 then redis.call("PEXPIRE", KEYS[1], period) end
end
return {allowed, used, math.max(redis.call("PTTL", KEYS[1]), 0)}`;

const bucketScript = `
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local state = redis.call("HMGET", KEYS[1], "used", "since")
local used = math.max(0, (tonumber(state[1]) or 0) - (now - (tonumber(state[2]) or now)) / 1000 * rate)
local allowed = 0
if used + 1 <= limit then
  allowed = 1
  used = used + 1
end
local emptyIn = math.ceil(used / rate * 1000)
redis.call("HSET", KEYS[1], "used", tostring(used), "since", tostring(now))
redis.call("PEXPIRE", KEYS[1], math.max(emptyIn, 1))
return {allowed, math.floor(used * 1000), emptyIn}`;

const prefix = "quintet:limit:";

/** A store in Redis, and how it is watched and closed. */
export interface RedisStore extends RateStore {
  /** Fails when Redis does not answer. */
  ping(): Promise<void>;
  close(): void;
}

function verdictOf(
  rule: Rule,
  [allowed, used, milliseconds]: [number, number, number],
  now: number,
): Verdict {
  const isAllowed = allowed === 1;
  const resetAt = Math.ceil((now + milliseconds) / 1000);
  if (rule.type === "window") {
    const retryAfter = isAllowed ? 0 : Math.ceil(milliseconds / 1000);
    return {
      allowed: isAllowed,
      limit: rule.limit,
      remaining: Math.max(0, rule.limit - used),
      resetAt,
      retryAfter,
    };
  }
  const limit = rule.perSecond + rule.burst;
  const taken = used / 1000;
  return {
    allowed: isAllowed,
    limit,
    remaining: Math.max(0, Math.floor(limit - taken)),
    resetAt,
    retryAfter: isAllowed ? 0 : Math.ceil((taken + 1 - limit) / rule.perSecond),
  };
}

const parametersOf = (rule: Rule): [script: string, ...values: string[]] =>
  rule.type === "window"
    ? [windowScript, String(rule.limit), String(rule.seconds * 1000)]
    : [bucketScript, String(rule.perSecond + rule.burst), String(rule.perSecond)];

/** Counters in the Redis at `url`. While it does not answer, this instance counts by itself: a limit that is too wide is better than no service. */
export function redisStore(url: string, { maxKeys, log }: { maxKeys: number; log: Log }): RedisStore {
  const connection = new RedisConnection(url);
  const own = memoryStore({ maxKeys });
  let isAway = false;

  return {
    async hit(key, rule, now) {
      const [script, ...values] = parametersOf(rule);
      try {
        const name = `${prefix}${rule.type}:${key}`;
        const answer = await connection.send("EVAL", [script, "1", name, ...values]);
        isAway = false;
        return verdictOf(rule, answer as [number, number, number], now);
      } catch (error) {
        if (!isAway)
          log.warn({ reason: reasonOf(error) }, "Redis does not answer: this instance counts by itself");
        isAway = true;
        return own.hit(key, rule, now);
      }
    },
    async ping() {
      await connection.send("PING", []);
    },
    close: () => connection.close(),
  };
}
