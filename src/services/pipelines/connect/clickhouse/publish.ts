/**
 * Putting staged rows into their table. ClickHouse 18.16 has no transactions; what is promised is this.
 *
 * - **A missing table** is the staging table under its new name: one step.
 * - **replace** is one RENAME of both tables. Whoever reads sees the one or the other. A server that dies between its two halves leaves the table as `quintet_old_<runId>`; the next
 *   try of the run puts it back. What others insert between staging and the swap is replaced like the rest.
 * - **merge** builds a new table of the target's rows without the staged keys and the staged rows, and swaps. What others insert while it is built is lost. Columns that the
 *   rows lack get their defaults.
 * - **append** hands the staged parts over, a partition at a time (ATTACH PARTITION … FROM, links and no copies): each partition appears whole or not at all, several of them one after
 *   another; others may insert meanwhile. Before it, the largest block numbers of the target are noted in `quintet_published` beside it; after it, that it is done. A try that finds the first
 *   note without the second looks in parts that are newer: has a partition all of the staged rows, it is done; none, it is attached; some of them, that is refused, for
 *   an engine that collapses rows, or another source than at the first try, leaves nothing to decide by. It errs in one case, and then towards too few rows: the first try
 *   attached nothing, newer parts were merged with older ones since, and those had all the same rows already.
 * - **append to other engines** (Log, Distributed, Replicated…) is one INSERT … SELECT, of which ClickHouse makes blocks of about a million rows, each atomic. A try that
 *   finds it begun and not done is refused: at most once.
 *
 * A run that is noted as done does nothing more. Run ids are therefore never used for two targets in one database.
 */
import { ConnectorError } from "../connector.ts";
import { ask, findTable, partsOf, type Table } from "./catalogue.ts";
import { literal, quoteName, quoteTable, type TableName } from "./sql.ts";
import { addColumns, isPlainMergeTree, type Staging } from "./staging.ts";

/** Largest block number by partition id, before the first try. */
type Blocks = Record<string, number>;

interface Note {
  isDone: boolean;
  blocks: Blocks;
}

const most = 5;

const notesOf = ({ target }: Staging): string =>
  quoteTable({ database: target.database, table: "quintet_published" });

const run = ({ http, signal }: Staging, sql: string): Promise<string> => http.text(sql, { signal });

const isThere = async ({ http, signal }: Staging, name: TableName): Promise<boolean> =>
  (await http.text(`EXISTS TABLE ${quoteTable(name)}`, { signal })).trim() === "1";

/** Puts back a target that a swap was taken away from in mid-step, and drops what a finished one left. */
export async function restore(staging: Staging): Promise<void> {
  const { target, tables } = staging;
  if (!(await isThere(staging, tables.old))) return;
  const [old, name] = [quoteTable(tables.old), quoteTable(target)];
  await run(
    staging,
    (await isThere(staging, target)) ? `DROP TABLE ${old}` : `RENAME TABLE ${old} TO ${name}`,
  );
}

/** Puts the staged rows into the target, once for each run id. Throws `ConnectorError`; the target is then as promised above, and trying again is safe. */
export async function publish(staging: Staging): Promise<void> {
  const { tables, target, request, http, signal } = staging;
  const note = await noteOf(staging);
  if (note?.isDone) return await dropLeftovers(staging);
  await restore(staging);
  const table = await findTable(http, target, { signal });
  if (!(await isThere(staging, tables.stage))) {
    // Only a rename takes the staging table away before the note that all is done.
    if (!note || !table) throw new ConnectorError("refused", "The staged rows are gone");
  } else {
    const blocks = note?.blocks ?? (await begin(staging, table));
    if (!table) await run(staging, `RENAME TABLE ${quoteTable(tables.stage)} TO ${quoteTable(target)}`);
    else {
      await addColumns(http, target, staging.added, signal);
      if (request.mode === "replace") await swap(staging, tables.stage);
      else if (request.mode === "merge") await merge(staging);
      else await append(staging, table, note ? blocks : null);
    }
  }
  await writeNote(staging, true, {});
  await dropLeftovers(staging);
}

async function dropLeftovers(staging: Staging): Promise<void> {
  const { stage, next, old } = staging.tables;
  for (const name of [stage, next, old]) await run(staging, `DROP TABLE IF EXISTS ${quoteTable(name)}`);
}

async function noteOf(staging: Staging): Promise<Note | null> {
  const { http, runId, signal } = staging;
  await run(
    staging,
    `CREATE TABLE IF NOT EXISTS ${notesOf(staging)} (run_id String, at DateTime, done UInt8, blocks String) ENGINE = MergeTree ORDER BY run_id`,
  );
  const sql = `SELECT done, blocks FROM ${notesOf(staging)} WHERE run_id = ${literal(runId)} ORDER BY done DESC, at LIMIT 1`;
  const [row] = await ask(http, sql, { signal });
  return row ? { isDone: row[0] === "1", blocks: JSON.parse(row[1] || "{}") as Blocks } : null;
}

async function writeNote(staging: Staging, isDone: boolean, blocks: Blocks): Promise<void> {
  const values = [literal(staging.runId), "now()", isDone ? "1" : "0", literal(JSON.stringify(blocks))];
  await run(
    staging,
    `INSERT INTO ${notesOf(staging)} (run_id, at, done, blocks) SELECT ${values.join(", ")}`,
  );
}

async function begin(staging: Staging, table: Table | null): Promise<Blocks> {
  const { http, target, signal } = staging;
  const blocks: Blocks = {};
  if (table)
    for (const { partition, block } of await partsOf(http, target, { signal }))
      blocks[partition] = Math.max(blocks[partition] ?? 0, block);
  await writeNote(staging, false, blocks);
  return blocks;
}

/** Puts another table in the target's place. */
async function swap(staging: Staging, by: TableName): Promise<void> {
  const [target, old] = [quoteTable(staging.target), quoteTable(staging.tables.old)];
  await run(staging, `RENAME TABLE ${target} TO ${old}, ${quoteTable(by)} TO ${target}`);
}

async function merge(staging: Staging): Promise<void> {
  const { http, target, tables, request, signal } = staging;
  const [from, next, stage] = [target, tables.next, tables.stage].map(quoteTable);
  const table = await findTable(http, target, { signal });
  const columns = (table?.columns ?? []).filter(({ isInserted }) => isInserted);
  const list = columns.map(({ name }) => quoteName(name)).join(", ");
  const key = request.key.map((name) => `assumeNotNull(${quoteName(name)})`).join(", ");
  const isNull = request.key.map((name) => `isNull(${quoteName(name)})`).join(" OR ");
  await run(staging, `DROP TABLE IF EXISTS ${next}`);
  await run(staging, `CREATE TABLE ${next} AS ${from}`);
  const kept = `SELECT ${list} FROM ${from} WHERE ${isNull} OR (${key}) NOT IN (SELECT ${key} FROM ${stage})`;
  await run(staging, `INSERT INTO ${next} (${list}) ${kept}`);
  await run(staging, `INSERT INTO ${next} (${list}) SELECT ${list} FROM ${stage}`);
  await swap(staging, tables.next);
}

/** `before`: the block numbers before an earlier try; null when this is the first. */
async function append(staging: Staging, table: Table, before: Blocks | null): Promise<void> {
  const { http, target, tables, signal } = staging;
  const stage = quoteTable(tables.stage);
  if (!isPlainMergeTree(table)) {
    if (before)
      throw new ConnectorError(
        "refused",
        `It cannot be told whether an earlier try appended to this ${table.engine} table`,
      );
    const columns = (await findTable(http, tables.stage, { signal }))?.columns ?? [];
    const list = columns.map(({ name }) => quoteName(name)).join(", ");
    await run(staging, `INSERT INTO ${quoteTable(target)} (${list}) SELECT ${list} FROM ${stage}`);
    return;
  }
  const staged = new Map<string, number>();
  for (const { partition, rows } of await partsOf(http, tables.stage, { signal }))
    staged.set(partition, (staged.get(partition) ?? 0) + rows);
  for (const [partition, rows] of staged) {
    if (before && (await isAttached(staging, partition, rows, before[partition] ?? 0))) continue;
    await run(
      staging,
      `ALTER TABLE ${quoteTable(target)} ATTACH PARTITION ID ${literal(partition)} FROM ${stage}`,
    );
  }
}

/** Whether an earlier try attached the partition. Throws `ConnectorError` "refused" when that cannot be told. */
async function isAttached(
  staging: Staging,
  partition: string,
  rows: number,
  block: number,
): Promise<boolean> {
  const { http, target, tables, signal } = staging;
  const columns = (await findTable(http, tables.stage, { signal }))?.columns ?? [];
  const texts = columns
    .filter(({ isInserted }) => isInserted)
    .map(({ name }) => `ifNull(toString(${quoteName(name)}), '\\\\N')`);
  const hash = `cityHash64(${texts.join(", ")})`;
  const newer = async () =>
    (await partsOf(http, target, { signal }))
      .filter((each) => each.partition === partition && each.block > block)
      .map(({ part }) => literal(part))
      .join(", ");
  let parts = await newer();
  for (let attempt = 0; attempt < most; attempt++) {
    if (parts === "") return false;
    const sql = `SELECT count() FROM ${quoteTable(target)} WHERE _part IN (${parts}) AND ${hash} IN (SELECT ${hash} FROM ${quoteTable(tables.stage)})`;
    const [count] = await ask(http, sql, { signal });
    const again = await newer();
    // Parts that were merged meanwhile were not seen.
    if (again !== parts) {
      parts = again;
      continue;
    }
    const found = Number(count?.[0]);
    if (found >= rows) return true;
    if (found === 0) return false;
    break;
  }
  throw new ConnectorError(
    "refused",
    "An earlier try may have appended a part of these rows, and it cannot be told which",
  );
}
