/** What staging and publishing share. */
import type { WriteRequest } from "../connector.ts";
import { findTable, type Table } from "./catalogue.ts";
import type { ClickHouseHttp } from "./http.ts";
import { quoteName, quoteTable, type TableName } from "./sql.ts";

/** Tables that belong to a run, beside its target; `old` is the target during a swap, `next` what takes its place. */
export interface RunTables {
  stage: TableName;
  loaded: TableName;
  next: TableName;
  old: TableName;
}

/** What publishing needs to know. */
export interface Staging {
  http: ClickHouseHttp;
  target: TableName;
  tables: RunTables;
  request: WriteRequest;
  runId: string;
  /** Columns that the target does not have yet. */
  added: { name: string; type: string }[];
  signal: AbortSignal;
}

/** A MergeTree that is not replicated: only such a table's parts can be handed to another. */
export const isPlainMergeTree = ({ engine }: Table): boolean =>
  engine.endsWith("MergeTree") && !/^(Replicated|Shared)/.test(engine);

/** Adds columns that a table does not have. */
export async function addColumns(
  http: ClickHouseHttp,
  name: TableName,
  columns: readonly { name: string; type: string }[],
  signal: AbortSignal,
): Promise<void> {
  if (columns.length === 0) return;
  const table = await findTable(http, name, { signal });
  const missing = columns.filter((column) => !table?.columns.some((each) => each.name === column.name));
  if (missing.length === 0) return;
  const list = missing.map((column) => `ADD COLUMN ${quoteName(column.name)} ${column.type}`);
  await http.text(`ALTER TABLE ${quoteTable(name)} ${list.join(", ")}`, { signal });
}
