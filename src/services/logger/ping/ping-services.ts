/** Services that are watched: made, listed, changed, removed, checked at once. */
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { invalid, notFound } from "../../../platform/http/failures.ts";
import { objectId, parseObjectId } from "../object-id.ts";
import { type PingRow, pingServices } from "../tables.ts";
import { checkUrl, type ProbeResult } from "./probe.ts";
import { firstDelaySeconds } from "./schedule.ts";

export interface PingFields {
  name: string;
  url: string;
  /** Seconds. */
  interval: number;
  telegramTags: string[];
}

export interface PingServicesOptions {
  orm: PostgresJsDatabase;
  probe(url: string): Promise<ProbeResult>;
  /** Stores a result; resolves when it is stored. */
  store(id: number, result: ProbeResult): Promise<void>;
}

const unknown = () => notFound("Ping-сервис не найден");
const mostAtOnce = 20;

function requireUrl(url: string | undefined): void {
  const reason = url === undefined ? null : checkUrl(url);
  if (reason !== null) throw invalid(reason, { details: { field: "url" } });
}

export class PingServices {
  private readonly options: PingServicesOptions;

  constructor(options: PingServicesOptions) {
    this.options = options;
  }

  /** Makes a service and checks it once. */
  async create(projectId: number, fields: PingFields): Promise<PingRow> {
    requireUrl(fields.url);
    const [row] = await this.options.orm
      .insert(pingServices)
      .values({ ...fields, projectId, nextCheckAt: sql`now() + interval '1 day'` })
      .returning();
    if (!row) throw new Error("the service was not stored");
    await this.plan(row);
    return await this.check(row);
  }

  async list(projectId: number): Promise<PingRow[]> {
    return await this.options.orm
      .select()
      .from(pingServices)
      .where(eq(pingServices.projectId, projectId))
      .orderBy(asc(pingServices.id));
  }

  /** Fails with `notFound`. */
  async find(projectId: number, id: string): Promise<PingRow> {
    const number = parseObjectId(id)?.id ?? 0;
    const [row] = await this.options.orm
      .select()
      .from(pingServices)
      .where(and(eq(pingServices.id, number), eq(pingServices.projectId, projectId)));
    if (!row) throw unknown();
    return row;
  }

  /** Changes a service and checks it at once. */
  async update(
    projectId: number,
    id: string,
    fields: { [K in keyof PingFields]?: PingFields[K] | undefined },
  ): Promise<PingRow> {
    const before = await this.find(projectId, id);
    requireUrl(fields.url);
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const isElsewhere = fields.url !== undefined && fields.url !== before.url;
    const anew = { failures: 0, isDown: false, certificateExpiresAt: null, certificateAnnounced: null };
    const [row] = await this.options.orm
      .update(pingServices)
      .set({ ...given, ...(isElsewhere ? anew : {}), updatedAt: sql`now()` })
      .where(eq(pingServices.id, before.id))
      .returning();
    if (!row) throw unknown();
    await this.plan(row);
    return await this.check(row);
  }

  async remove(projectId: number, id: string): Promise<string> {
    const row = await this.find(projectId, id);
    await this.options.orm.delete(pingServices).where(eq(pingServices.id, row.id));
    return objectId(row.createdAt, row.id);
  }

  /** Checks all services of a project now, or one; answers them fresh. */
  async checkNow(projectId: number, id: string | null): Promise<PingRow[]> {
    const rows = id === null ? await this.list(projectId) : [await this.find(projectId, id)];
    for (let at = 0; at < rows.length; at += mostAtOnce)
      await Promise.all(rows.slice(at, at + mostAtOnce).map((row) => this.measure(row)));
    const ids = rows.map((row) => row.id);
    return await this.options.orm
      .select()
      .from(pingServices)
      .where(inArray(pingServices.id, ids.length > 0 ? ids : [0]))
      .orderBy(asc(pingServices.id));
  }

  private async check(row: PingRow): Promise<PingRow> {
    await this.measure(row);
    const [fresh] = await this.options.orm.select().from(pingServices).where(eq(pingServices.id, row.id));
    return fresh ?? row;
  }

  private async measure({ id, url }: PingRow): Promise<void> {
    await this.options.store(id, await this.options.probe(url));
  }

  private async plan({ id, interval }: PingRow): Promise<void> {
    const delay = firstDelaySeconds(id, interval);
    await this.options.orm
      .update(pingServices)
      .set({ nextCheckAt: sql`now() + make_interval(secs => ${delay})` })
      .where(eq(pingServices.id, id));
  }
}

/** A service as the document shows one. */
export const pingView = (row: PingRow, projectUuid: string) => ({
  _id: objectId(row.createdAt, row.id),
  projectUuid,
  name: row.name,
  url: row.url,
  interval: row.interval,
  telegramTags: row.telegramTags,
  lastStatus: row.lastStatus,
  lastCheckedAt: row.lastCheckedAt?.toISOString() ?? null,
  lastResponseTimeMs: row.lastResponseTimeMs,
  lastError: row.lastError,
  certificateExpiresAt: row.certificateExpiresAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});
