/**
 * Who is online, over all servers. Each server keeps rows of the accounts that are connected to it and shows every few seconds that it lives; the rows of
 * one that does not are removed by the others. Coming and going is decided in the database under the account's lock and has a version, so that all servers agree.
 */
import type { Sql } from "postgres";
import { numberArray } from "../../../platform/database/array-literal.ts";
import type { Queries } from "../../../platform/database/connect.ts";
import type { Topics } from "../../../platform/realtime/topics.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { Wakeable } from "../../../platform/wakeable.ts";
import type { Status } from "./statuses.ts";

const topic = "messenger-presence";
const beatMilliseconds = 5_000;
/** A server that has not shown itself for so long is dead. */
const deadSeconds = 15;
/** Who comes back within it has never been away. */
const graceMilliseconds = 2_000;
const retryMilliseconds = 1_000;
/** Changes of one notification: it holds less than 8,000 bytes. */
const changesAtOnce = 120;

/** An account that came or went: id, whether it is online, when (milliseconds), version. */
type Change = [accountId: number, isOnline: 0 | 1, at: number, version: number];

interface News {
  changes: Change[];
  /** A server that has just started. */
  hello?: true;
}

export interface PresenceOptions {
  sql: Sql;
  topics: Topics;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
  onStatus(status: Status): void;
}

export class Presence {
  private readonly options: PresenceOptions;
  private readonly instance = crypto.randomUUID();
  /** Accounts connected here, those in their grace included. */
  private readonly here = new Set<number>();
  private readonly leaving = new Map<number, Timer>();
  /** What is known of accounts on all servers. */
  private readonly known = new Map<number, { isOnline: boolean; version: number }>();
  private readonly dirty = new Set<number>();
  private written = new Set<number>();
  private readonly writing = new Wakeable(() => this.write());
  private others = 0;
  private timer: Timer | null = null;
  private isStopped = false;

  constructor(options: PresenceOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    const { topics } = this.options;
    topics.subscribe<News>(topic, ({ changes, hello }) => {
      if (hello) this.others++;
      for (const change of changes) this.learn(change);
    });
    topics.onResync(() => void this.load().catch(() => {}));
    await this.register();
    await topics.broadcastToOthers(topic, { changes: [], hello: true } satisfies News);
    await this.beat();
    await this.load();
    this.timer = setInterval(() => void this.beat(), beatMilliseconds);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    for (const timer of this.leaving.values()) clearTimeout(timer);
    await this.tell(await this.bury([this.instance]));
  }

  /** Whether this is the only server, as far as it knows. */
  get isAlone(): boolean {
    return this.others === 0;
  }

  isOnline(accountId: number): boolean {
    return this.here.has(accountId) || this.known.get(accountId)?.isOnline === true;
  }

  /** Everybody who is online. */
  online(): number[] {
    const ids = new Set(this.here);
    for (const [id, { isOnline }] of this.known) if (isOnline) ids.add(id);
    return [...ids];
  }

  /** An account has a connection here. */
  arrived(accountId: number): void {
    clearTimeout(this.leaving.get(accountId));
    this.leaving.delete(accountId);
    if (this.here.has(accountId)) return;
    this.here.add(accountId);
    this.note(accountId);
  }

  /** An account has no connection here any more. */
  left(accountId: number): void {
    if (this.isStopped) return;
    const timer = setTimeout(() => {
      this.leaving.delete(accountId);
      this.here.delete(accountId);
      this.note(accountId);
    }, graceMilliseconds);
    clearTimeout(this.leaving.get(accountId));
    this.leaving.set(accountId, timer);
  }

  private note(accountId: number): void {
    this.dirty.add(accountId);
    this.writing.wake();
  }

  /** Writes who came and went here, many at once, and tells what that changed. */
  private async write(): Promise<void> {
    const warn = (what: string) => (error: unknown) =>
      this.options.log.warn({ reason: reasonOf(error) }, what);
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.dirty.size > 0 && !this.isStopped) {
      const ids = [...this.dirty];
      this.dirty.clear();
      try {
        const came = ids.filter((id) => this.here.has(id) && !this.written.has(id));
        const went = ids.filter((id) => !this.here.has(id) && this.written.has(id));
        const changes = await this.change(came, went);
        for (const id of came) this.written.add(id);
        for (const id of went) this.written.delete(id);
        // What is kept is told, whatever else fails. Others that cannot be told now read it all when they can be (`onResync`).
        await this.noteSeen(changes).catch(warn("when users were last seen could not be kept"));
        await this.tell(changes).catch(warn("other servers could not be told who is online"));
      } catch (error) {
        this.options.log.warn({ reason: reasonOf(error) }, "who is online could not be kept");
        for (const id of ids) this.dirty.add(id);
        await Bun.sleep(retryMilliseconds);
      }
    }
  }

  private async change(came: readonly number[], went: readonly number[]): Promise<Change[]> {
    const all = numberArray([...came, ...went]);
    return await this.options.sql.begin(async (tx) => {
      await lock(tx, all);
      await tx`insert into messenger.presence (account_id, instance_id)
        select account_id, ${this.instance} from messenger.inboxes where account_id = any(${numberArray(came)}::text::int[])
        on conflict do nothing`;
      await tx`delete from messenger.presence where instance_id = ${this.instance}
        and account_id = any(${numberArray(went)}::text::int[])`;
      return await turned(tx, all, came, this.instance, this.options.now());
    });
  }

  /** Of those who went; apart from the above, so that no lock of an account is waited for while an inbox is held. */
  private async noteSeen(changes: readonly Change[]): Promise<void> {
    const gone = changes.filter(([, isOnline]) => isOnline === 0).map(([id]) => id);
    if (gone.length > 0)
      await this.options
        .sql`update identity.accounts set last_seen = now() where id = any(${numberArray(gone)}::text::int[])`;
  }

  private async tell(changes: Change[]): Promise<void> {
    for (let at = 0; at < changes.length; at += changesAtOnce) {
      const news: News = { changes: changes.slice(at, at + changesAtOnce) };
      await this.options.topics.broadcast(topic, news);
    }
  }

  private learn([accountId, online, at, version]: Change): void {
    const known = this.known.get(accountId);
    if (known && known.version >= version) return;
    const isOnline = online === 1;
    this.known.set(accountId, { isOnline, version });
    if (known?.isOnline === isOnline) return;
    this.options.onStatus({ accountId, isOnline, at });
  }

  /** Reads who is online: at the start, and whenever news may have been missed. */
  private async load(): Promise<void> {
    const rows = await this.options.sql`select i.account_id, i.presence_version as version,
        exists (select from messenger.presence p where p.account_id = i.account_id) as online
      from messenger.inboxes i where i.presence_version > 0`;
    const now = this.options.now();
    for (const { account_id, version, online } of rows)
      this.learn([Number(account_id), online === true ? 1 : 0, now, Number(version)]);
  }

  private async register(): Promise<void> {
    await this.options.sql`insert into messenger.instances (id) values (${this.instance})
      on conflict (id) do update set seen_at = now()`;
  }

  /** Shows that this server lives, and looks who does not. */
  private async beat(): Promise<void> {
    const { sql, log } = this.options;
    try {
      const shown = await sql`update messenger.instances set seen_at = now() where id = ${this.instance}`;
      if (shown.count === 0) await this.comeBack();
      const rows = await sql`select id, seen_at < now() - make_interval(secs => ${deadSeconds}) as dead
        from messenger.instances where id <> ${this.instance}`;
      this.others = rows.filter(({ dead }) => dead !== true).length;
      const dead = rows.filter((row) => row.dead === true).map(({ id }) => String(id));
      if (dead.length > 0) {
        const changes = await this.bury(dead);
        await this.noteSeen(changes);
        await this.tell(changes);
      }
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, "who is online could not be kept");
    }
  }

  /** The others took this server for dead: it registers again, with everybody who is here. */
  private async comeBack(): Promise<void> {
    await this.register();
    this.written = new Set();
    for (const id of this.here) this.note(id);
  }

  /** Removes servers and the rows of their accounts; answers who is gone with them. */
  private async bury(instances: string[]): Promise<Change[]> {
    return await this.options.sql.begin(async (tx) => {
      const rows =
        await tx`select distinct account_id from messenger.presence where instance_id = any(${instances}::uuid[])`;
      const ids = numberArray(rows.map((row) => Number(row.account_id)));
      await lock(tx, ids);
      await tx`delete from messenger.instances where id = any(${instances}::uuid[])`;
      return await turned(tx, ids, [], "00000000-0000-0000-0000-000000000000", this.options.now());
    });
  }
}

const lock = (tx: Queries, ids: string) =>
  tx`select from messenger.inboxes where account_id = any(${ids}::text::int[]) order by account_id for update`;

/** Of accounts whose rows have just changed here, those that are on no other server: they came or went. */
async function turned(
  tx: Queries,
  ids: string,
  came: readonly number[],
  instance: string,
  now: number,
): Promise<Change[]> {
  const rows = await tx`update messenger.inboxes i set presence_version = presence_version + 1
    where account_id = any(${ids}::text::int[]) and not exists (
      select from messenger.presence p where p.account_id = i.account_id and p.instance_id <> ${instance})
    returning account_id, presence_version as version`;
  const arrived = new Set(came);
  const changes = rows.map((row): Change => {
    const id = Number(row.account_id);
    return [id, arrived.has(id) ? 1 : 0, now, Number(row.version)];
  });
  return changes;
}
