/** Keys of machines: 64 characters, shown once, known to us only by their SHA-256. */
import { createHash, randomBytes } from "node:crypto";
import { asc, eq } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { conflict } from "../http/failures.ts";
import type { Topics } from "../realtime/topics.ts";
import { apiKeys } from "./tables.ts";

const topic = "api-keys";

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();

export class ApiKeys {
  private readonly orm: PostgresJsDatabase;
  private readonly topics: Topics;
  /** Name by hash, of every key; null until loaded, and again whenever another instance changed something. */
  private cache: Promise<Map<string, string>> | null = null;

  constructor(orm: PostgresJsDatabase, topics: Topics) {
    this.orm = orm;
    this.topics = topics;
  }

  start(): void {
    const forget = () => {
      this.cache = null;
    };
    this.topics.subscribe(topic, forget);
    this.topics.onResync(forget);
  }

  /** Makes a key and answers it, the only time that it is shown. Fails with `conflict` when the name is taken. */
  async mint(name: string): Promise<string> {
    // 48 bytes are 64 characters of base64url; dashes and underscores are avoided so that a double click selects a key whole.
    const key = randomBytes(48).toString("base64url").replaceAll("-", "x").replaceAll("_", "y");
    const made = await this.orm
      .insert(apiKeys)
      .values({ name, hash: hashOf(key) })
      .onConflictDoNothing()
      .returning({ name: apiKeys.name });
    if (made.length === 0) throw conflict(`API key already exists: ${name}`);
    await this.topics.broadcast(topic, null);
    return key;
  }

  /** The name of a key, or null when it is none of ours. Compared by hash: how long it takes tells nothing. */
  async verify(key: string): Promise<string | null> {
    if (key.length !== 64) return null;
    this.cache ??= this.load();
    try {
      return (await this.cache).get(hashOf(key).toString("hex")) ?? null;
    } catch (error) {
      this.cache = null;
      throw error;
    }
  }

  /** Every key's name and date, by name. */
  async list(): Promise<{ name: string; createdAt: Date }[]> {
    return await this.orm
      .select({ name: apiKeys.name, createdAt: apiKeys.createdAt })
      .from(apiKeys)
      .orderBy(asc(apiKeys.name));
  }

  /** Ends a key at once, on every instance. False: there is none of that name. */
  async revoke(name: string): Promise<boolean> {
    const gone = await this.orm
      .delete(apiKeys)
      .where(eq(apiKeys.name, name))
      .returning({ name: apiKeys.name });
    await this.topics.broadcast(topic, null);
    return gone.length > 0;
  }

  private async load(): Promise<Map<string, string>> {
    const rows = await this.orm.select().from(apiKeys);
    return new Map(rows.map((row) => [row.hash.toString("hex"), row.name]));
  }
}
