/** Identity as one part: what the server makes once and every service is given. */
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { Periodic } from "../periodic.ts";
import type { Topics } from "../realtime/topics.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import { Accounts } from "./accounts.ts";
import { theServer } from "./audit.ts";
import { Grants } from "./grants.ts";
import { Logins } from "./login.ts";
import { LoginLocks } from "./login-locks.ts";
import { PasswordHashes } from "./password-hashes.ts";
import type { PasswordPolicy } from "./password-policy.ts";
import { Sessions } from "./sessions.ts";
import type { Tokens } from "./tokens.ts";

export interface IdentityOptions {
  orm: PostgresJsDatabase;
  topics: Topics;
  tokens: Tokens;
  log: Log;
  now: () => number;
  policy: PasswordPolicy;
  /** The admin that the settings name. */
  admin: { username: string; password: string } | null;
}

const expiryMilliseconds = 600_000;

export class IdentityService {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly grants: Grants;
  readonly accounts: Accounts;
  readonly logins: Logins;
  private readonly locks: LoginLocks;
  private readonly options: IdentityOptions;
  private readonly expiry: Periodic;

  constructor(options: IdentityOptions) {
    const { orm, topics, tokens, log, now, policy } = options;
    const hashes = new PasswordHashes();
    this.options = options;
    this.expiry = new Periodic(
      expiryMilliseconds,
      () => this.expire(),
      (error) => log.warn({ reason: reasonOf(error) }, "ended sessions could not be removed"),
    );
    this.tokens = tokens;
    this.locks = new LoginLocks(orm);
    this.sessions = new Sessions({ orm, topics, tokens, log, now });
    this.grants = new Grants({ orm, tokens, sessions: this.sessions, now });
    this.accounts = new Accounts({ orm, hashes, sessions: this.sessions, policy });
    this.logins = new Logins({
      orm,
      accounts: this.accounts,
      grants: this.grants,
      hashes,
      locks: this.locks,
    });
  }

  /** Makes the admin of the settings and begins to forget what is over. */
  async start(): Promise<void> {
    const { admin } = this.options;
    this.sessions.start();
    if (admin) await this.accounts.ensureAdmin(admin.username, admin.password, theServer);
    this.expiry.start();
  }

  async stop(): Promise<void> {
    await this.expiry.stop();
  }

  private async expire(): Promise<void> {
    await this.sessions.expire();
    await this.locks.expire();
  }
}
