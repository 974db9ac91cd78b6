/**
 * Loading rows into a staging table. ClickHouse reads numbers that are too large, days that are none and NULL for a column without NULL as other values and says nothing;
 * so such columns are loaded as what the rows have, and then converted with a look at every value. A value that would become another is refused; in a column that is made
 * it makes a text of the column instead, where the type was no more than a guess (`settle.ts`).
 *
 * Floating point numbers are the exception: ClickHouse's own parser is used, which is fast and not exact. In 18.16 about one of 20,000 numbers with two decimals comes out as its
 * neighbour, and of numbers near the ends of the range every fourth. Whoever needs each digit uses decimals.
 */
import { ConnectorError, namesOf, type Staged, type WriteRequest } from "../connector.ts";
import type { Column, RowStream } from "../types.ts";
import { ask, findTable, type Table } from "./catalogue.ts";
import { type ColumnPlan, definitionOf, planFor, planForMade } from "./columns.ts";
import type { ClickHouseHttp } from "./http.ts";
import { abilitiesOf } from "./native-types.ts";
import { publish, restore } from "./publish.ts";
import { settled } from "./settle.ts";
import { quoteName, quoteTable, type TableName } from "./sql.ts";
import { addColumns, isPlainMergeTree, type RunTables, type Staging } from "./staging.ts";

/** A cancelled run ends within two seconds. */
const cleanUpTimeout = 1_500;

const runTables = (database: string, runId: string): RunTables => {
  const of = (what: string) => ({ database, table: `quintet_${what}_${runId.replace(/\W/g, "_")}` });
  return { stage: of("stage"), loaded: of("loaded"), next: of("next"), old: of("old") };
};

/**
 * Loads rows into `quintet_stage_<runId>` in the target's database, in place of what an earlier try left there. Throws `ConnectorError`: "schema" for columns that the table
 * lacks (with `fail`) and for a missing key; "refused" for values that have no place, for NULL in the key of a table that is made, and for keys that are NULL or doubled (with `merge`); "unsupported" for replacing or merging into
 * a table that is no plain MergeTree. Whatever it throws, the target is as it was and nothing is left beside it.
 */
export async function stageRows(
  http: ClickHouseHttp,
  target: TableName,
  request: WriteRequest,
  rows: RowStream,
  runId: string,
  signal: AbortSignal,
): Promise<Staged> {
  const tables = runTables(target.database, runId);
  const staging: Staging = { http, target, tables, request, runId, added: [], signal };
  try {
    await restore(staging);
    await drop(staging, [tables.stage, tables.loaded, tables.next]);
    const table = await findTable(http, target, { signal });
    checkRequest(request, rows.columns, table);
    const plans = await loadRows(staging, table, rows);
    if (request.mode === "merge") await checkKeys(staging, plans);
    const [count] = await ask(http, `SELECT count() FROM ${quoteTable(tables.stage)}`, { signal });
    return {
      table: quoteTable(tables.stage),
      rows: Number(count?.[0]),
      ask: async (sql) => (await ask(http, sql, { signal }))[0]?.[0] ?? null,
      publish: () => publish(staging),
      discard: () => drop(staging, [tables.stage, tables.loaded, tables.next], true),
    };
  } catch (error) {
    // The first failure is the one to tell; the next try drops what this leaves.
    await drop(staging, [tables.stage, tables.loaded], true).catch(() => {});
    throw error;
  }
}

/** Drops tables that may be there; `anyway`: also when the run was aborted. */
async function drop({ http, signal }: Staging, tables: TableName[], anyway = false): Promise<void> {
  const options = anyway ? { signal: AbortSignal.timeout(cleanUpTimeout) } : { signal };
  for (const table of tables) await http.text(`DROP TABLE IF EXISTS ${quoteTable(table)}`, options);
}

function checkRequest(
  { mode, key, onSchemaChange, table: shown }: WriteRequest,
  columns: readonly Column[],
  table: Table | null,
): void {
  const names = namesOf(columns);
  if (mode === "merge" && key.length === 0)
    throw new ConnectorError("schema", "Merging needs columns that name a row");
  for (const name of key)
    if (
      !names.includes(name) ||
      (mode === "merge" && table && !table.columns.some((each) => each.name === name))
    )
      throw new ConnectorError("schema", `The key's column ${name} is missing`);
  if (!table) return;
  if (mode !== "append" && !isPlainMergeTree(table))
    throw new ConnectorError("unsupported", `${shown} is a ${table.engine}: it can only be appended to`);
  for (const name of names) {
    const known = table.columns.find((each) => each.name === name);
    if (known?.isInserted === false)
      throw new ConnectorError("schema", `${shown} computes its column ${name} itself`);
    if (!known && onSchemaChange === "fail")
      throw new ConnectorError("schema", `${shown} has no column ${name}`);
  }
}

/** Loads the rows, by way of a table of their own types where values are converted. */
async function loadRows(staging: Staging, table: Table | null, rows: RowStream): Promise<ColumnPlan[]> {
  const { http, tables, request, signal } = staging;
  const [version] = await ask(http, "SELECT version()", { signal });
  const abilities = abilitiesOf(version?.[0] ?? "");
  const isAdded = (name: string) => table !== null && !table.columns.some((each) => each.name === name);
  let plans = rows.columns.map((column) => {
    const known = table?.columns.find(({ name }) => name === column.name);
    if (known) return planFor(column, known, abilities);
    // Rows that are there already have no value in an added column.
    const made = { ...column, nullable: column.nullable || table !== null };
    return planForMade(made, abilities, {
      isKey: request.key.includes(column.name),
      isAdded: table !== null,
    });
  });
  const load = (into: TableName) =>
    http.insert(`INSERT INTO ${quoteTable(into)} (${listOf(plans)}) FORMAT TabSeparated`, rows.chunks, {
      signal,
    });
  const isConverted = plans.some(({ conversion }) => conversion !== null);
  if (isConverted) {
    const definition = definitionOf(plans.map(({ name, loaded }) => ({ name, type: loaded })));
    await http.text(
      `CREATE TABLE ${quoteTable(tables.loaded)} (${definition}) ENGINE = MergeTree ORDER BY tuple()`,
      { signal },
    );
    await load(tables.loaded);
    plans = await settled(staging, plans);
  }
  staging.added = plans.filter(({ name }) => isAdded(name)).map(({ name, final }) => ({ name, type: final }));
  await makeStage(staging, table, plans);
  if (!isConverted) await load(tables.stage);
  else {
    const values = plans.map(({ name, conversion }) => conversion?.value ?? quoteName(name));
    await http.text(
      `INSERT INTO ${quoteTable(tables.stage)} (${listOf(plans)}) SELECT ${values.join(", ")} FROM ${quoteTable(tables.loaded)}`,
      { signal },
    );
    await drop(staging, [tables.loaded]);
  }
  return plans;
}

const listOf = (columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => quoteName(name)).join(", ");

/** Makes the staging table: like the target, where the target's parts can be handed over. */
async function makeStage(
  { http, target, tables, request, added, signal }: Staging,
  table: Table | null,
  plans: readonly ColumnPlan[],
): Promise<void> {
  const stage = quoteTable(tables.stage);
  if (table && isPlainMergeTree(table)) {
    await http.text(`CREATE TABLE ${stage} AS ${quoteTable(target)}`, { signal });
    await addColumns(http, tables.stage, added, signal);
    return;
  }
  const definition = definitionOf(plans.map(({ name, final }) => ({ name, type: final })));
  const order = table || request.key.length === 0 ? "tuple()" : `(${request.key.map(quoteName).join(", ")})`;
  await http.text(`CREATE TABLE ${stage} (${definition}) ENGINE = MergeTree ORDER BY ${order}`, { signal });
}

async function checkKeys({ http, tables, request, signal }: Staging, plans: ColumnPlan[]): Promise<void> {
  const stage = quoteTable(tables.stage);
  const key = plans.filter(({ name }) => request.key.includes(name));
  const isNull = key.map(({ name }) => `isNull(${quoteName(name)})`).join(" OR ");
  const [nulls] = await ask(http, `SELECT count() FROM ${stage} WHERE ${isNull}`, { signal });
  if (nulls?.[0] !== "0") throw new ConnectorError("refused", `${nulls?.[0]} rows have NULL in their key`);
  const doubled = `SELECT 1 FROM ${stage} GROUP BY ${listOf(key)} HAVING count() > 1 LIMIT 1`;
  if ((await ask(http, doubled, { signal })).length > 0)
    throw new ConnectorError("refused", `Several rows have the same key (${request.key.join(", ")})`);
}
