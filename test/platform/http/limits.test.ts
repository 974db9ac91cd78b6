import { expect, test } from "bun:test";
import {
  type BucketRule,
  limitHeaders,
  memoryStore,
  type Verdict,
  type WindowRule,
} from "../../../src/platform/http/limits.ts";

const window: WindowRule = { type: "window", limit: 3, seconds: 60 };
const bucket: BucketRule = { type: "bucket", perSecond: 10, burst: 5 };

test("a window allows its limit, refuses the rest, and begins anew", () => {
  const store = memoryStore({ maxKeys: 10 });
  const hit = (now: number) => store.hit("k", window, now) as Verdict;
  expect([hit(1000), hit(2000), hit(3000)].map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
    [true, 2],
    [true, 1],
    [true, 0],
  ]);
  expect(hit(4000)).toEqual({ allowed: false, limit: 3, remaining: 0, resetAt: 61, retryAfter: 57 });
  expect(hit(60_999)).toMatchObject({ allowed: false, retryAfter: 1 });
  expect(hit(61_000)).toMatchObject({ allowed: true, remaining: 2, resetAt: 121 });
  expect(store.hit("another", window, 61_000)).toMatchObject({ allowed: true, remaining: 2 });
});

test("a bucket allows a burst and then its rate", () => {
  const store = memoryStore({ maxKeys: 10 });
  const hit = (now: number) => (store.hit("k", bucket, now) as Verdict).allowed;
  expect(Array.from({ length: 16 }, () => hit(0))).toEqual([...Array(15).fill(true), false]);
  expect(hit(99)).toBe(false);
  expect(hit(101)).toBe(true);
  expect(hit(101)).toBe(false);
  expect(Array.from({ length: 16 }, () => hit(100_000))).toEqual([...Array(15).fill(true), false]);
});

test("a flood of keys costs bounded memory, and those in use are remembered", () => {
  const store = memoryStore({ maxKeys: 100 });
  for (let n = 0; n < 10_000; n++) {
    void store.hit(`address ${n}`, window, 0);
    void store.hit("regular", window, 0);
  }
  expect(store.hit("regular", window, 1)).toMatchObject({ allowed: false });
  expect(store.hit("address 1", window, 1)).toMatchObject({ remaining: 2 });
});

test("headers", () => {
  const verdict = { allowed: true, limit: 100, remaining: 7, resetAt: 1_700_000_000, retryAfter: 0 };
  const headers = {
    "X-RateLimit-Limit": "100",
    "X-RateLimit-Remaining": "7",
    "X-RateLimit-Reset": "1700000000",
  };
  expect(limitHeaders(verdict)).toEqual(headers);
  expect(limitHeaders({ ...verdict, allowed: false, retryAfter: 0 })).toEqual({
    ...headers,
    "Retry-After": "1",
  });
});
