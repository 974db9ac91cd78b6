/** Logging in: the one way from a name and a password to a session, for every surface. */
import { eq, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { unauthenticated } from "../http/failures.ts";
import { type Account, accountOf } from "./account.ts";
import type { Accounts } from "./accounts.ts";
import { record } from "./audit.ts";
import type { Grant, Grants } from "./grants.ts";
import type { LockMode, LoginLocks } from "./login-locks.ts";
import type { PasswordHashes } from "./password-hashes.ts";
import type { Surface } from "./session-rows.ts";
import { type AccountRow, accounts } from "./tables.ts";

export interface LoginOptions {
  orm: PostgresJsDatabase;
  accounts: Accounts;
  grants: Grants;
  hashes: PasswordHashes;
  locks: LoginLocks;
}

export interface LoginAttempt {
  username: string;
  password: string;
  /** The client's address. */
  address: string;
  surface: Surface;
  lock: LockMode;
  /** Whom the surface takes; all others are answered as if their password were wrong. */
  accepts?(account: Account): boolean;
}

export interface Login {
  account: Account;
  grant: Grant;
}

const wrong = () => unauthenticated("Incorrect username or password", { code: "AUTH_FAILED" });

/** Logins. */
export class Logins {
  private readonly options: LoginOptions;

  constructor(options: LoginOptions) {
    this.options = options;
  }

  /**
   * A session for whoever knows the password. Fails with `unauthenticated` (code `AUTH_FAILED`): a wrong name, a wrong password and an account that
   * may not log in are told with the same words after the same time; with `tooMany` or `locked` after too many failures.
   */
  async logIn(given: LoginAttempt): Promise<Login> {
    // Nobody is called so, and the database could not even be asked.
    const username = given.username.replaceAll("\0", "\ufffd").toWellFormed();
    const attempt = { ...given, username };
    const { address, password, lock } = attempt;
    const key = { address, username, mode: lock };
    await this.options.locks.check(key);
    const row = await this.options.accounts.findRow(username);
    const isUsable = row?.isActive === true && (attempt.accepts?.(accountOf(row)) ?? true);
    const hash = isUsable ? row.passwordHash : null;
    const isRight = await this.options.hashes.verify(password, hash, {
      admit: () => this.options.locks.check(key),
      settle: (isRight) => (isRight ? this.options.locks.succeed(key) : this.failed(attempt, row)),
    });
    if (!isRight || !row) throw wrong();
    return await this.succeeded(attempt, row);
  }

  private async failed(
    { address, username, lock, surface }: LoginAttempt,
    row: AccountRow | null,
  ): Promise<void> {
    const { locks, orm } = this.options;
    const isLocked = await locks.fail({ address, username, mode: lock });
    const entry = {
      accountId: row?.id ?? null,
      username: username.slice(0, 200),
      actor: { accountId: null, address },
      details: { surface },
    };
    await record(orm, { event: "login_failed", ...entry });
    if (isLocked) await record(orm, { event: "locked", ...entry });
  }

  private async succeeded({ address, password, surface }: LoginAttempt, row: AccountRow): Promise<Login> {
    const { orm, hashes, grants } = this.options;
    const isOutdated = row.passwordHash !== null && hashes.isOutdated(row.passwordHash);
    const passwordHash = isOutdated ? await hashes.hash(password) : null;
    return await orm.transaction(async (tx) => {
      // The row as it is now: it may have been deactivated, or got another password, while this one was checked.
      const [current] = await tx
        .update(accounts)
        .set({ lastLogin: sql`now()`, lastSeen: sql`now()`, ...(passwordHash ? { passwordHash } : {}) })
        .where(
          sql`${eq(accounts.id, row.id)} and ${accounts.isActive} and ${accounts.passwordHash} = ${row.passwordHash}`,
        )
        .returning();
      if (!current) throw wrong();
      const account = accountOf(current);
      await record(tx, {
        event: "login",
        accountId: account.id,
        username: account.username,
        actor: { accountId: account.id, address },
        details: { surface },
      });
      return { account, grant: await grants.begin(account, surface, tx) };
    });
  }
}
