/**
 * The way of logs into the database. Whatever comes in while a statement runs goes into the next one, so that one commit serves many; each is
 * answered after its commit. The text of the statement never changes, whatever the number of rows.
 */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";
import { GroupCommit } from "../../../platform/database/group-commit.ts";
import { refusalOf } from "../../../platform/database/refusal.ts";
import { conflict, type Failure, invalid, unavailable } from "../../../platform/http/failures.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { hasAlerts } from "../project.ts";
import { columnsOf, type EncodedRow, encodeRow, type LogRow, lengthOf } from "./row.ts";

/** Called with the number of the stored row, or why it was refused. */
export type Settle = (result: number | Failure) => void;

interface Pending {
  row: LogRow;
  encoded: EncodedRow;
  /** Bytes, roughly. */
  size: number;
  settle: Settle;
  id: number;
}

export interface QueueOptions {
  sql: Sql;
  log: Log;
  /** Called when a row's day has no partition. */
  makePartitions(): Promise<void>;
  /** In the transaction of rows whose projects tell somebody: puts what is to be told beside them. */
  onAlerts(tx: Queries, rows: readonly LogRow[]): Promise<void>;
  /** After the commit. */
  onStored(rows: readonly { id: number; row: LogRow }[]): void;
}

const mostBytes = 64 * 1024 * 1024;
const mostRowsAtOnce = 5_000;
const mostBytesAtOnce = 4 * 1024 * 1024;
const rowOverhead = 200;
const blockSize = 1_000;

/** Faults of a row, such as metadata nested too deeply (54001); all else is a connection, a full disk, a shutdown. */
const dataErrorClass = /^(22|23502|23514|54)/;

/** A day without a partition is told with the code of a check, but without the name of one. */
function isWithoutPartition(error: unknown): boolean {
  const { code, constraint } = refusalOf(error);
  return code === "23514" && constraint === "";
}

const poison = () => invalid("Лог содержит недопустимые символы");

export class IngestQueue {
  private readonly options: QueueOptions;
  private readonly commits = new GroupCommit<Pending>({
    store: (batch) => this.storeBatch(batch),
    mostItems: mostRowsAtOnce,
    mostBytes: mostBytesAtOnce,
  });
  private nextId = 0;
  private lastId = -1;

  constructor(options: QueueOptions) {
    this.options = options;
  }

  /** Whether there is no room. */
  get isFull(): boolean {
    return this.commits.bytes >= mostBytes;
  }

  /** Queues a row. It is refused at once when the queue is full or the database could not hold it. */
  add(row: LogRow, settle: Settle): void {
    if (this.isFull) {
      settle(unavailable("Очередь приёма логов переполнена", { retryAfter: 1 }));
      return;
    }
    const encoded = encodeRow(row);
    if (encoded === null) {
      settle(poison());
      return;
    }
    const size = lengthOf(encoded) + rowOverhead;
    this.commits.add({ row, encoded, size, settle, id: 0 });
  }

  /** Queues a row and waits for its commit; answers its number. */
  store(row: LogRow): Promise<number> {
    return new Promise((resolve, reject) => {
      this.add(row, (result) => (typeof result === "number" ? resolve(result) : reject(result)));
    });
  }

  /** Stores what can be stored, and settles everything. A row that the database refuses is found by halving. */
  private async storeBatch(batch: Pending[], isSecondTry = false): Promise<void> {
    try {
      for (const each of batch) each.id = this.nextId <= this.lastId ? this.nextId++ : await this.newBlock();
      const stored = await this.insert(batch);
      for (const { settle, id } of stored) settle(id);
      this.options.onStored(stored);
    } catch (error) {
      const code = refusalOf(error).code;
      const hasNoPartition = isWithoutPartition(error);
      if (hasNoPartition && !isSecondTry) {
        await this.options.makePartitions().catch(() => {});
        await this.storeBatch(batch, true);
      } else if (hasNoPartition || !dataErrorClass.test(code)) this.refuse(batch, error);
      else if (batch.length === 1) batch[0]?.settle(poison());
      else {
        const middle = batch.length >> 1;
        await this.storeBatch(batch.slice(0, middle), isSecondTry);
        await this.storeBatch(batch.slice(middle), isSecondTry);
      }
    }
  }

  private refuse(batch: Pending[], error: unknown): void {
    this.options.log.warn({ reason: reasonOf(error), rows: batch.length }, "logs could not be stored");
    const failure = unavailable("Service temporarily unavailable", { retryAfter: 1, cause: error });
    for (const { settle } of batch) settle(failure);
  }

  private async newBlock(): Promise<number> {
    const [row] = await this.options.sql`select nextval('logger.log_blocks') as block`;
    this.nextId = Number(row?.block) * blockSize;
    this.lastId = this.nextId + blockSize - 1;
    return this.nextId++;
  }

  /** One statement, unless caps or alerts want a transaction around it. Answers what was stored; what a cap keeps out is settled here. */
  private async insert(batch: Pending[]): Promise<Pending[]> {
    const { sql } = this.options;
    const capped = batch.some(({ row }) => row.project.maxLogEntries > 0);
    const alerting = batch.filter(({ row }) => hasAlerts(row.project));
    if (!capped && alerting.length === 0) {
      await insertRows(sql, batch);
      return batch;
    }
    const refused: Pending[] = [];
    const stored = await sql.begin(async (tx) => {
      const admitted = capped ? await admit(tx, batch, refused) : batch;
      await insertRows(tx, admitted);
      const told = admitted.filter(({ row }) => hasAlerts(row.project));
      if (told.length > 0)
        await this.options.onAlerts(
          tx,
          told.map(({ row }) => row),
        );
      return admitted;
    });
    for (const { settle, row } of refused)
      settle(
        conflict(`Достигнут предел логов проекта: ${row.project.maxLogEntries}`, {
          code: "LOG_LIMIT_EXCEEDED",
        }),
      );
    return stored;
  }
}

async function insertRows(sql: Queries, batch: readonly Pending[]): Promise<void> {
  if (batch.length === 0) return;
  const ids = `{${batch.map(({ id }) => id).join(",")}}`;
  const [project, at, level, message, tags, metadata, ip] = columnsOf(batch.map(({ encoded }) => encoded));
  await sql`insert into logger.logs (id, project_id, at, level, message, tags, metadata, client_ip)
    select i, p, to_timestamp(t / 1000), l, m, g::text[], d::jsonb, c from unnest(
      ${ids}::text::bigint[], ${project ?? ""}::text::int[], ${at ?? ""}::text::float8[], ${level ?? ""}::text::text[],
      ${message ?? ""}::text::text[], ${tags ?? ""}::text::text[], ${metadata ?? ""}::text::text[], ${ip ?? ""}::text::text[]
    ) as r(i, p, t, l, m, g, d, c)`;
}

/** Counts rows of capped projects against their caps, under a lock on each project; what does not fit goes to `refused`. */
async function admit(tx: Queries, batch: readonly Pending[], refused: Pending[]): Promise<Pending[]> {
  const ids = [
    ...new Set(batch.filter(({ row }) => row.project.maxLogEntries > 0).map(({ row }) => row.project.id)),
  ];
  const rows =
    await tx`select id, max_log_entries as most, coalesce(entries, 0) as entries from logger.projects
    where id = any(${ids}) order by id for update`;
  const room = new Map(rows.map((row) => [Number(row.id), Number(row.most) - Number(row.entries)]));
  const admitted = batch.filter((each) => {
    const left = room.get(each.row.project.id);
    if (left === undefined) return true;
    if (left <= 0) refused.push(each);
    else room.set(each.row.project.id, left - 1);
    return left > 0;
  });
  for (const { id, most, entries } of rows) {
    const used = Number(most) - (room.get(Number(id)) ?? 0);
    if (used !== Number(entries)) await tx`update logger.projects set entries = ${used} where id = ${id}`;
  }
  return admitted;
}
