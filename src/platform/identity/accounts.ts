/** Accounts: made, found, changed, removed. Who may do so is the caller's to decide. */
import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { isDuplicate, refusalOf } from "../database/refusal.ts";
import { conflict, type Failure, notFound, unprocessable } from "../http/failures.ts";
import { type Account, accountOf, keyOf } from "./account.ts";
import { type Actor, type AuditEvent, type Orm, record } from "./audit.ts";
import type { PasswordHashes } from "./password-hashes.ts";
import { type PasswordPolicy, passwordProblem } from "./password-policy.ts";
import type { Role } from "./roles.ts";
import { endSessionsOf, type Sessions } from "./sessions.ts";
import { type AccountRow, accounts } from "./tables.ts";

export interface NewAccount {
  username: string;
  email: string | null;
  fullName: string | null;
  password: string;
}

/** What is to change; what is undefined stays. */
export interface AccountChanges {
  username?: string | undefined;
  email?: string | null | undefined;
  fullName?: string | null | undefined;
  password?: string | undefined;
  role?: Role | undefined;
  isActive?: boolean | undefined;
}

export interface AccountsOptions {
  orm: PostgresJsDatabase;
  hashes: PasswordHashes;
  sessions: Sessions;
  policy: PasswordPolicy;
}

/** Names one lock of the whole database: whoever holds it decides who comes first. */
const firstAccountLock = 7_211_001;

const isPresent = isNull(accounts.deletedAt);
const byId = (id: number) => and(eq(accounts.id, id), isPresent);

function duplicate(error: unknown): Failure | null {
  if (!isDuplicate(error)) return null;
  return refusalOf(error).constraint.includes("email") ? emailTaken() : usernameTaken();
}

const usernameTaken = () => conflict("Username already registered", { details: { field: "username" } });
const emailTaken = () => conflict("Email already registered", { details: { field: "email" } });
const unknown = () => notFound("Resource not found");

export class Accounts {
  private readonly options: AccountsOptions;

  constructor(options: AccountsOptions) {
    this.options = options;
  }

  /**
   * Makes an account. The very first one is an admin. Fails with `unprocessable` for a password that the policy refuses, `conflict` for a
   * name or email that is taken.
   */
  async register(given: NewAccount, actor: Actor, isAdmin = false): Promise<Account> {
    this.requirePassword(given.password, given.username);
    const { orm, hashes } = this.options;
    // Asked before hashing, which is dear; the constraint decides.
    if (await this.findRow(given.username)) throw usernameTaken();
    const passwordHash = await hashes.hash(given.password);
    try {
      return await orm.transaction(async (tx) => {
        const role = isAdmin || (await this.isFirst(tx)) ? "admin" : "analyst";
        const [row] = await tx
          .insert(accounts)
          .values({
            username: given.username,
            usernameKey: keyOf(given.username),
            email: given.email,
            emailKey: given.email === null ? null : keyOf(given.email),
            fullName: given.fullName,
            passwordHash,
            role,
          })
          .returning();
        if (!row) throw new Error("the account was not stored");
        const by = { ...actor, accountId: actor.accountId ?? row.id };
        await record(tx, {
          event: "registered",
          accountId: row.id,
          username: row.username,
          actor: by,
          details: { role },
        });
        return accountOf(row);
      });
    } catch (error) {
      throw duplicate(error) ?? error;
    }
  }

  /** The account with an id. Fails with `notFound`. */
  async find(id: number): Promise<Account> {
    const [row] = await this.options.orm.select().from(accounts).where(byId(id));
    if (!row) throw unknown();
    return accountOf(row);
  }

  /** The whole row of a name in whatever case, its password's hash included; null when there is none. */
  async findRow(username: string): Promise<AccountRow | null> {
    const [row] = await this.options.orm
      .select()
      .from(accounts)
      .where(eq(accounts.usernameKey, keyOf(username)));
    return row ?? null;
  }

  /** Accounts by id. */
  async list({ skip, limit }: { skip: number; limit: number }): Promise<Account[]> {
    const rows = await this.options.orm
      .select()
      .from(accounts)
      .where(isPresent)
      .orderBy(asc(accounts.id))
      .offset(skip)
      .limit(limit);
    return rows.map(accountOf);
  }

  /**
   * Changes an account. A new password ends its sessions but `keepSession`, deactivation all of them. Fails with `notFound`, `conflict` (a name or
   * email that is taken, the last active admin), `unprocessable` (the password).
   */
  async update(
    id: number,
    changes: AccountChanges,
    actor: Actor,
    keepSession: string | null,
  ): Promise<Account> {
    const { orm, hashes, sessions } = this.options;
    if (changes.password !== undefined) {
      const { username } = await this.find(id);
      this.requirePassword(changes.password, changes.username ?? username);
    }
    const passwordHash = changes.password === undefined ? undefined : await hashes.hash(changes.password);
    let ended: string[] = [];
    const account = await orm
      .transaction(async (tx) => {
        const before = await this.lockForChange(tx, id, changes);
        const [row] = await tx
          .update(accounts)
          .set({ ...columnsOf(changes), ...(passwordHash ? { passwordHash } : {}), updatedAt: sql`now()` })
          .where(byId(id))
          .returning();
        if (!row) throw unknown();
        for (const { event, details } of eventsOf(before, changes))
          await record(tx, { event, accountId: id, username: row.username, actor, details });
        if (changes.isActive === false) ended = await endSessionsOf(tx, id, null);
        else if (passwordHash) ended = await endSessionsOf(tx, id, keepSession);
        return accountOf(row);
      })
      .catch((error: unknown) => {
        throw duplicate(error) ?? error;
      });
    await sessions.tell({ ended, changed: id });
    return account;
  }

  /**
   * Removes an account, its sessions and its name. Where other rows refer to it, it stays without anything that tells whose it was. Fails
   * with `notFound`, or `conflict` for the last active admin.
   */
  async remove(id: number, actor: Actor): Promise<void> {
    const { orm, sessions } = this.options;
    let ended: string[] = [];
    await orm.transaction(async (tx) => {
      const before = await this.lockForChange(tx, id, { isActive: false });
      ended = await endSessionsOf(tx, id, null);
      const kept = await isReferredTo(tx, id);
      if (kept) await tx.update(accounts).set(anonymous(id)).where(byId(id));
      await record(tx, {
        event: "deleted",
        accountId: id,
        username: before.username,
        actor,
        details: { anonymised: kept },
      });
    });
    await sessions.tell({ ended, changed: id });
  }

  /** Makes the admin that the settings name, or makes the account of that name an active admin with that password. */
  async ensureAdmin(username: string, password: string, actor: Actor): Promise<void> {
    const found = await this.findRow(username);
    if (!found) {
      await this.register({ username, email: null, fullName: null, password }, actor, true);
      return;
    }
    const isSame =
      found.passwordHash !== null && (await this.options.hashes.verify(password, found.passwordHash));
    if (isSame && found.role === "admin" && found.isActive) return;
    const changes: AccountChanges = { role: "admin", isActive: true, ...(isSame ? {} : { password }) };
    await this.update(found.id, changes, actor, null);
  }

  private requirePassword(password: string, username: string): void {
    const problem = passwordProblem(password, username, this.options.policy);
    if (problem) throw unprocessable("Validation error", { problems: [problem] });
  }

  /** Whether there has never been an account; of several who ask at once the first one's transaction decides. */
  private async isFirst(tx: Orm): Promise<boolean> {
    const any = () => tx.select({ id: accounts.id }).from(accounts).limit(1);
    if ((await any()).length > 0) return false;
    await tx.execute(sql`select pg_advisory_xact_lock(${firstAccountLock})`);
    return (await any()).length === 0;
  }

  /** The account before a change, locked. Where the change would take an admin away, all admins are, so that two of them cannot remove each other. */
  private async lockForChange(tx: Orm, id: number, { role, isActive }: AccountChanges): Promise<AccountRow> {
    const endsAdmin = (role !== undefined && role !== "admin") || isActive === false;
    const isAdmin = and(eq(accounts.role, "admin"), accounts.isActive, isPresent);
    const admins = endsAdmin
      ? await tx
          .select({ id: accounts.id })
          .from(accounts)
          .where(isAdmin)
          .orderBy(asc(accounts.id))
          .for("update")
      : [];
    const [row] = await tx.select().from(accounts).where(byId(id)).for("update");
    if (!row) throw unknown();
    if (endsAdmin && admins.length === 1 && admins[0]?.id === id)
      throw conflict("The last active administrator cannot be removed");
    return row;
  }
}

function columnsOf({ username, email, fullName, role, isActive }: AccountChanges) {
  return {
    ...(username === undefined ? {} : { username, usernameKey: keyOf(username) }),
    ...(email === undefined ? {} : { email, emailKey: email === null ? null : keyOf(email) }),
    ...(fullName === undefined ? {} : { fullName }),
    ...(role === undefined ? {} : { role }),
    ...(isActive === undefined ? {} : { isActive }),
  };
}

/** What a change means to the audit trail. */
function eventsOf(
  before: AccountRow,
  { role, isActive, password, ...rest }: AccountChanges,
): { event: AuditEvent; details: Record<string, unknown> }[] {
  const fields = Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return [
    ...(fields.length > 0 ? [{ event: "updated" as const, details: { fields } }] : []),
    ...(password === undefined ? [] : [{ event: "password_changed" as const, details: {} }]),
    ...(role === undefined || role === before.role
      ? []
      : [{ event: "role_changed" as const, details: { from: before.role, to: role } }]),
    ...(isActive === undefined || isActive === before.isActive
      ? []
      : [{ event: isActive ? ("activated" as const) : ("deactivated" as const), details: {} }]),
  ];
}

const anonymous = (id: number) => ({
  username: `deleted_${id}`,
  usernameKey: null,
  email: null,
  emailKey: null,
  fullName: null,
  passwordHash: null,
  role: "analyst" as const,
  isActive: false,
  deletedAt: sql`now()`,
  updatedAt: sql`now()`,
});

/** Deletes the row unless the database says that others refer to it; answers whether they do. */
async function isReferredTo(tx: Orm, id: number): Promise<boolean> {
  try {
    await tx.transaction(async (savepoint) => {
      await savepoint.delete(accounts).where(byId(id));
    });
    return false;
  } catch (error) {
    if (refusalOf(error).code === "23503") return true;
    throw error;
  }
}
