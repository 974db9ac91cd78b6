/** Locks against guessing passwords. Failures are counted in the database: for all instances together, and over a restart. */
import { eq, inArray, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { type Failure, locked, tooMany } from "../http/failures.ts";
import { loginFailures } from "./tables.ts";

interface LockRule {
  /** Failures that lock. */
  limit: number;
  lockSeconds: number;
  /** Failures count only as long as the first of them is no older; null: in a row, however long it takes. */
  windowSeconds: number | null;
  /** What whoever is locked out is told. */
  failure(retryAfter: number): Failure;
}

const minutes = 60;
const tooManyAttempts = (retryAfter: number) => tooMany("Too many login attempts", { retryAfter });

const pairRule: LockRule = {
  limit: 5,
  lockSeconds: 15 * minutes,
  windowSeconds: null,
  failure: tooManyAttempts,
};
const addressRule: LockRule = {
  limit: 100,
  lockSeconds: 15 * minutes,
  windowSeconds: 15 * minutes,
  failure: tooManyAttempts,
};
const loggerRule: LockRule = {
  limit: 5,
  lockSeconds: 60 * minutes,
  windowSeconds: null,
  failure: (retryAfter) => locked("Too many login attempts", { retryAfter }),
};

/**
 * How a surface locks: `pair` the pair of address and name for 15 minutes after 5 failures in a row, and the address after 100 in 15 minutes (429);
 * `address` the address for an hour after 5 in a row (423), as Logger's document says.
 */
export type LockMode = "pair" | "address";

export interface Attempt {
  address: string;
  username: string;
  mode: LockMode;
}

interface Counted {
  key: string;
  rule: LockRule;
  /** Whether a success forgets the failures. */
  clears: boolean;
}

function countersOf({ address, username, mode }: Attempt): Counted[] {
  if (mode === "address") return [{ key: `logger:${address}`, rule: loggerRule, clears: true }];
  const name = username.normalize("NFC").toLowerCase().slice(0, 200);
  return [
    { key: `pair:${address}|${name}`, rule: pairRule, clears: true },
    { key: `address:${address}`, rule: addressRule, clears: false },
  ];
}

export class LoginLocks {
  private readonly orm: PostgresJsDatabase;

  constructor(orm: PostgresJsDatabase) {
    this.orm = orm;
  }

  /** Fails when the attempt is locked out: with `tooMany`, or `locked`, and when to try again. */
  async check(attempt: Attempt): Promise<void> {
    const counters = countersOf(attempt);
    const keys = counters.map(({ key }) => key);
    const wait = sql<number>`ceil(extract(epoch from ${loginFailures.lockedUntil} - now()))::int`;
    const rows = await this.orm
      .select({ key: loginFailures.key, wait })
      .from(loginFailures)
      .where(inArray(loginFailures.key, keys));
    for (const { key, rule } of counters) {
      const row = rows.find((candidate) => candidate.key === key);
      if (row && row.wait > 0) throw rule.failure(row.wait);
    }
  }

  /** Counts a failure; answers whether it locked anything. */
  async fail(attempt: Attempt): Promise<boolean> {
    let isLocked = false;
    for (const { key, rule } of countersOf(attempt)) {
      const isOver = rule.windowSeconds
        ? sql`${loginFailures.since} < now() - make_interval(secs => ${rule.windowSeconds})`
        : sql`false`;
      const startsAnew = sql`(${loginFailures.lockedUntil} <= now() or ${isOver})`;
      const failures = sql`case when ${startsAnew} then 1 else ${loginFailures.failures} + 1 end`;
      const [row] = await this.orm
        .insert(loginFailures)
        .values({ key, failures: 1, since: sql`now()` })
        .onConflictDoUpdate({
          target: loginFailures.key,
          set: {
            failures,
            since: sql`case when ${startsAnew} then now() else ${loginFailures.since} end`,
            lockedUntil: sql`case when (${failures}) >= ${rule.limit} then now() + make_interval(secs => ${rule.lockSeconds}) end`,
          },
        })
        .returning({ lockedUntil: loginFailures.lockedUntil });
      isLocked ||= row?.lockedUntil != null;
    }
    return isLocked;
  }

  /** Forgets the failures that a success makes up for. */
  async succeed(attempt: Attempt): Promise<void> {
    for (const { key, clears } of countersOf(attempt))
      if (clears) await this.orm.delete(loginFailures).where(eq(loginFailures.key, key));
  }

  /** Removes what no longer counts. */
  async expire(): Promise<void> {
    await this.orm
      .delete(loginFailures)
      .where(
        sql`${loginFailures.since} < now() - interval '1 day' and coalesce(${loginFailures.lockedUntil}, now()) <= now()`,
      );
  }
}
