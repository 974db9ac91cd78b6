/** Rows into a staging table beside their target. */
import { ConnectorError, type Staged, type WriteRequest } from "../connector.ts";
import type { Column, RowStream } from "../types.ts";
import { translated } from "./errors.ts";
import { quoteIdentifier, quoteList, quoteTable, stageName } from "./identifiers.ts";
import { publish } from "./publish.ts";
import { definitionsOf, type Plan, planWrite } from "./target.ts";
import type { Session } from "./wire.ts";

/** What staging needs. */
export interface StageOptions {
  request: WriteRequest;
  rows: RowStream;
  runId: string;
  defaultSchema: string | null;
  /** Opens a session; one that must outlive an abort is given a signal of its own. */
  open(signal?: AbortSignal): Promise<Session>;
}

const askSeconds = 60;
/** A cancelled run ends within two seconds. */
const discardMilliseconds = 1_500;

/**
 * Writes the rows into `quintet_stage_<runId>`, in place of what a run of this name left there. Throws `ConnectorError`: `schema` when they do not fit the target (before anything
 * is written), `refused` for a value that does not fit its column and for rows that share a merge's key. Then no table is left.
 */
export async function stageRows(options: StageOptions): Promise<Staged> {
  const { request, rows, runId, defaultSchema, open } = options;
  let session = await open();
  const { columns } = rows;
  try {
    const plan = await planWrite(session, request, columns, defaultSchema);
    const { schema } = plan.table;
    const stage = quoteTable({ schema, name: stageName(runId) });
    const isTarget = canBecomeTarget(plan, columns);
    const list = isTarget
      ? definitionsOf(columns)
      : plan.columns.map(({ name, stageType }) => `${quoteIdentifier(name)} ${stageType}`);
    // One transaction, so that a run that ends in the middle leaves no table.
    await session.query(`begin; drop table if exists ${stage};
      create ${isTarget ? "" : "unlogged"} table ${stage} (${list.join(", ")})`);
    const count = await fill(session, stage, rows, request);
    await session.query("commit");
    return {
      table: stage,
      rows: count,
      ask: (sql) =>
        translated(async () => {
          if (session.isClosed) session = await open();
          return await ask(session, sql);
        }),
      publish: () =>
        translated(async () => {
          if (session.isClosed) session = await open();
          await publish(session, {
            ...{ request, columns, defaultSchema, schema, stage, runId, isTarget },
            hasRows: count > 0,
          });
          await session.close();
        }),
      discard: () =>
        translated(async () => {
          if (session.isClosed) session = await open(AbortSignal.timeout(discardMilliseconds));
          await session.query(`drop table if exists ${stage}`);
          await session.close();
        }),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Whether the staging table is, under another name, the very table that is missing: then nothing is written twice. Arrays lie in it as text. */
const canBecomeTarget = ({ exists }: Plan, columns: readonly Column[]): boolean =>
  !exists && columns.every(({ type }) => type.kind !== "array");

async function fill(
  session: Session,
  stage: string,
  rows: RowStream,
  { mode, key }: WriteRequest,
): Promise<number> {
  const names = quoteList(rows.columns.map(({ name }) => name));
  const count = await session.copyIn(`copy ${stage} (${names}) from stdin with (freeze)`, rows.chunks);
  if (mode === "merge") await checkKey(session, stage, key, rows.columns);
  return count;
}

async function checkKey(
  session: Session,
  stage: string,
  key: readonly string[],
  columns: readonly Column[],
): Promise<void> {
  // What the planner knows of the rows decides how the merge finds their partners.
  await session.query(`analyze ${stage}`);
  const nullable = columns
    .filter(({ name }) => key.includes(name))
    .map(({ name }) => `${quoteIdentifier(name)} is null`);
  const { rows } = await session.ask(
    `select exists (select from ${stage} where ${nullable.join(" or ")}),
      exists (select from ${stage} group by ${quoteList(key)} having count(*) > 1)`,
  );
  const [hasNull, hasTwice] = rows[0] ?? [];
  if (hasNull === "t") throw new ConnectorError("refused", `rows have NULL in the key: ${key.join(", ")}`);
  if (hasTwice === "t")
    throw new ConnectorError("refused", `several rows have the same key: ${key.join(", ")}`);
}

/** In a transaction that is rolled back, so that not even a setting stays changed. */
async function ask(session: Session, sql: string): Promise<string | null> {
  await session.query(`begin read only; set local statement_timeout = '${askSeconds}s'`);
  try {
    const { fields } = await session.describe(sql);
    if (!fields || fields.length === 0) throw new ConnectorError("refused", "only a SELECT can be asked");
    const { rows } = await session.ask(sql, [], 1);
    return rows[0]?.[0] ?? null;
  } finally {
    if (!session.isClosed) await session.query("rollback");
  }
}
