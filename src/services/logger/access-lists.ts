/** Whitelist, blacklist and rate limit: kept in memory, told by NOTIFY when another instance changed them. */
import { asc, desc, eq, gt, isNull, lte, or, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { type CidrList, isLoopback, parseCidrs, plainAddress } from "../../platform/http/address.ts";
import { conflict, Failure, forbidden, invalid, notFound } from "../../platform/http/failures.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import { parseObjectId } from "./object-id.ts";
import { blacklist, settings, whitelist } from "./tables.ts";

const topic = "logger-access";
const defaultRateLimit = 120;

type BlockRow = typeof blacklist.$inferSelect;

export interface WhitelistEntry {
  ip: string;
  description: string;
  createdAt: Date;
  /** One of `ADMIN_IP`: it cannot be removed. */
  isProtected: boolean;
}

interface Block {
  network: CidrList;
  expiresAt: number;
}

/** An address or network in the one form that it is stored in. Fails with `invalid`. */
export function networkOf(text: string): string {
  const trimmed = text.trim();
  try {
    if (trimmed === "" || /[\s,]/.test(trimmed)) throw new Error("not one network");
    parseCidrs(trimmed);
  } catch {
    throw invalid("Некорректный IP-адрес или сеть", { details: { ip: text } });
  }
  const [address = "", length] = trimmed.split("/");
  return length === undefined ? plainAddress(address) : `${plainAddress(address)}/${length}`;
}

export class AccessLists {
  private readonly orm: PostgresJsDatabase;
  private readonly topics: Topics;
  private readonly adminIps: string[];
  private readonly admin: CidrList;
  private allowed: CidrList = parseCidrs("");
  private blocks: Block[] = [];
  private limit = defaultRateLimit;
  private readonly startedAt = new Date();

  /** `adminIps`: the addresses of `ADMIN_IP`. */
  constructor(orm: PostgresJsDatabase, topics: Topics, adminIps: string[]) {
    this.orm = orm;
    this.topics = topics;
    this.adminIps = adminIps.map(networkOf);
    this.admin = parseCidrs(this.adminIps.join(" "));
  }

  async start(onError: (error: unknown) => void): Promise<void> {
    const reload = () => void this.load().catch(onError);
    this.topics.subscribe(topic, reload);
    this.topics.onResync(reload);
    await this.load();
  }

  /** Requests a minute that an address may send. */
  get rateLimit(): number {
    return this.limit;
  }

  /** Whether an address is shut out; those of `ADMIN_IP` never are. `now` in milliseconds. */
  isBlocked(address: string, now: number): boolean {
    if (this.blocks.length === 0 || this.admin.contains(address)) return false;
    return this.blocks.some(({ network, expiresAt }) => expiresAt > now && network.contains(address));
  }

  /** Whether an address is trusted: no limit, and projects of access level `whitelist` take its logs. */
  isTrusted(address: string): boolean {
    return isLoopback(address) || this.admin.contains(address) || this.allowed.contains(address);
  }

  async listWhitelist(): Promise<WhitelistEntry[]> {
    const rows = await this.orm.select().from(whitelist).orderBy(asc(whitelist.id));
    const own = this.adminIps.map((ip) => ({
      ip,
      description: "ADMIN_IP",
      createdAt: this.startedAt,
      isProtected: true,
    }));
    const others = rows.filter(({ ip }) => !this.adminIps.includes(ip));
    return [
      ...own,
      ...others.map(({ ip, description, createdAt }) => ({ ip, description, createdAt, isProtected: false })),
    ];
  }

  /** Adds an entry, or changes its description. */
  async allow(ip: string, description: string): Promise<WhitelistEntry> {
    const network = networkOf(ip);
    const [row] = await this.orm
      .insert(whitelist)
      .values({ ip: network, description })
      .onConflictDoUpdate({ target: whitelist.ip, set: { description } })
      .returning();
    if (!row) throw new Error("the entry was not stored");
    await this.changed();
    return { ...row, isProtected: this.adminIps.includes(network) };
  }

  /** Removes an entry. Fails with `forbidden` for one of `ADMIN_IP`, `notFound` for none at all. */
  async disallow(ip: string): Promise<void> {
    const network = networkOf(ip);
    if (this.adminIps.includes(network))
      throw forbidden("Административный IP нельзя удалить из белого списка", { code: "WHITELIST_PROTECTED" });
    const gone = await this.orm.delete(whitelist).where(eq(whitelist.ip, network)).returning();
    if (gone.length === 0) throw notFound("IP не найден в белом списке");
    await this.changed();
  }

  /** Blocks that hold, newest first. */
  async listBlocks(): Promise<BlockRow[]> {
    const holds = or(isNull(blacklist.expiresAt), gt(blacklist.expiresAt, sql`now()`));
    return await this.orm.select().from(blacklist).where(holds).orderBy(desc(blacklist.id));
  }

  /** Fails with `conflict` when the address is blocked already. */
  async block(ip: string, reason: string, expiresAt: Date | null): Promise<BlockRow> {
    await this.removeExpired();
    const [row] = await this.orm
      .insert(blacklist)
      .values({ ip: networkOf(ip), reason, expiresAt })
      .onConflictDoNothing()
      .returning();
    if (!row) throw alreadyBlocked();
    await this.changed();
    return row;
  }

  async changeBlock(
    id: string,
    changes: { ip?: string; reason?: string; expiresAt?: Date | null },
  ): Promise<BlockRow> {
    const number = parseObjectId(id)?.id ?? 0;
    const ip = changes.ip === undefined ? {} : { ip: networkOf(changes.ip) };
    try {
      const [row] = await this.orm
        .update(blacklist)
        .set({ ...changes, ...ip, updatedAt: sql`now()` })
        .where(eq(blacklist.id, number))
        .returning();
      if (!row) throw notFound("Блокировка не найдена");
      await this.changed();
      return row;
    } catch (error) {
      if (error instanceof Failure || !String((error as Error).cause).includes("blacklist_ip_unique"))
        throw error;
      throw alreadyBlocked();
    }
  }

  async unblock(id: string): Promise<BlockRow> {
    const number = parseObjectId(id)?.id ?? 0;
    const [row] = await this.orm.delete(blacklist).where(eq(blacklist.id, number)).returning();
    if (!row) throw notFound("Блокировка не найдена");
    await this.changed();
    return row;
  }

  async setRateLimit(value: number): Promise<void> {
    await this.orm
      .insert(settings)
      .values({ key: "rateLimitPerMinute", value })
      .onConflictDoUpdate({ target: settings.key, set: { value } });
    await this.changed();
  }

  /** Blocks whose time is over go by themselves. */
  async removeExpired(): Promise<void> {
    await this.orm.delete(blacklist).where(lte(blacklist.expiresAt, sql`now()`));
  }

  private async changed(): Promise<void> {
    await this.load();
    await this.topics.broadcast(topic, null);
  }

  private async load(): Promise<void> {
    const [white, black, [rate]] = await Promise.all([
      this.orm.select().from(whitelist),
      this.orm.select().from(blacklist),
      this.orm.select().from(settings).where(eq(settings.key, "rateLimitPerMinute")),
    ]);
    this.allowed = parseCidrs(white.map(({ ip }) => ip).join(" "));
    this.blocks = black.map(({ ip, expiresAt }) => ({
      network: parseCidrs(ip),
      expiresAt: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    }));
    this.limit = typeof rate?.value === "number" ? rate.value : defaultRateLimit;
  }
}

const alreadyBlocked = () => conflict("IP уже заблокирован");
