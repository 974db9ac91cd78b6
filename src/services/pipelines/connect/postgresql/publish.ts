/** The one transaction that puts staged rows into their table. */
import { ConnectorError, type WriteRequest } from "../connector.ts";
import type { Column } from "../types.ts";
import { quoteIdentifier, quoteList, quoteTable } from "./identifiers.ts";
import { ddlType } from "./native-types.ts";
import { definitionsOf, type Plan, planWrite } from "./target.ts";
import type { Session } from "./wire.ts";

/** What is to be published. */
export interface Publication {
  request: WriteRequest;
  columns: readonly Column[];
  defaultSchema: string | null;
  /** Where the target is. */
  schema: string;
  /** The staging table, quoted. */
  stage: string;
  /** Whether it may become the target, where there is none. */
  isTarget: boolean;
  /** Whether rows were staged. */
  hasRows: boolean;
  runId: string;
}

const markers = "quintet_published";

/**
 * Publishes, notes that in `quintet_published` and drops the staging table, all or nothing. Of a run that is noted there only the staging table is dropped.
 */
export async function publish(session: Session, publication: Publication): Promise<void> {
  await session.query("begin isolation level read committed, read write");
  try {
    if (await note(session, publication)) await load(session, publication);
    await session.query(`drop table if exists ${publication.stage}`);
    await session.query("commit");
  } catch (error) {
    if (!session.isClosed) await session.query("rollback");
    throw error;
  }
}

/** Days that a run is remembered: longer than any may wait to be tried again. */
const memoryDays = 90;

/** Notes the run; false when it was noted before. */
async function note(session: Session, { schema, runId }: Publication): Promise<boolean> {
  const table = quoteTable({ schema, name: markers });
  const { rows } = await session.ask(
    `select to_regclass($1), has_table_privilege(to_regclass($1), 'delete') and has_table_privilege(to_regclass($1), 'update')`,
    [table],
  );
  const [name, mayDelete] = rows[0] ?? [];
  if (mayDelete === "t") await forget(session, table);
  if (name == null) {
    await lock(session, table);
    await session.query(
      `create table if not exists ${table} (run_id text primary key, at timestamptz not null default now())`,
    );
  }
  const { count } = await session.ask(`insert into ${table} (run_id) values ($1) on conflict do nothing`, [
    runId,
  ]);
  return count > 0;
}

/** Removes what is too old to matter; what another run removes just now is left to it. */
const forget = (session: Session, table: string) =>
  session.query(`delete from ${table} where run_id in (select run_id from ${table}
    where at < now() - interval '${memoryDays} days' for update skip locked)`);

/** Those who make the same table wait for each other: `if not exists` alone fails for the second. */
const lock = (session: Session, name: string) =>
  session.ask("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`quintet ${name}`]);

/** A server that crashed meanwhile has emptied the staging table, which is unlogged: publishing it would lose what a `replace` replaces. */
async function requireRows(session: Session, { stage, hasRows }: Publication): Promise<void> {
  if (!hasRows) return;
  const { rows } = await session.ask(`select exists (select from ${stage})`);
  if (rows[0]?.[0] !== "t")
    throw new ConnectorError("refused", "the staged rows are gone: PostgreSQL crashed meanwhile");
}

async function load(session: Session, publication: Publication): Promise<void> {
  const { request, columns, defaultSchema, stage, isTarget } = publication;
  await requireRows(session, publication);
  let plan = await planWrite(session, request, columns, defaultSchema);
  const target = quoteTable(plan.table);
  if (!plan.exists) {
    await lock(session, target);
    plan = await planWrite(session, request, columns, defaultSchema);
  }
  if (!plan.exists && isTarget) return await becomeTarget(session, plan.table.name, target, publication);
  if (!plan.exists) await session.query(createTable(target, request, columns));
  else if (plan.added.length > 0) {
    const added = plan.added.map(
      ({ name, type }) => `add column if not exists ${quoteIdentifier(name)} ${ddlType(type)}`,
    );
    await session.query(`alter table ${target} ${added.join(", ")}`);
  }
  if (request.mode === "merge") await merge(session, plan, target, stage, request.key);
  else {
    if (request.mode === "replace") await empty(session, target);
    await session.query(insertFrom(plan, target, stage));
  }
}

/** The key of a table made for `merge` is its primary key, so that the next merge finds rows by it; json and arrays cannot be one. */
function primaryKey({ mode, key }: WriteRequest, columns: readonly Column[]): string | null {
  const isIndexable = columns.every(({ name, type }) => !key.includes(name) || type.kind !== "json");
  return mode === "merge" && isIndexable ? `primary key (${quoteList(key)})` : null;
}

async function becomeTarget(
  session: Session,
  name: string,
  target: string,
  { stage, request, columns }: Publication,
): Promise<void> {
  await session.query(`alter table ${stage} rename to ${quoteIdentifier(name)}`);
  const key = primaryKey(request, columns);
  if (key) await session.query(`alter table ${target} add ${key}`);
}

function createTable(target: string, request: WriteRequest, columns: readonly Column[]): string {
  const key = primaryKey(request, columns);
  return `create table ${target} (${[...definitionsOf(columns), ...(key ? [key] : [])].join(", ")})`;
}

/**
 * DELETE, not TRUNCATE: TRUNCATE locks readers out until the commit, and those with an older snapshot would see an empty table afterwards. Writers wait, so that what
 * replaces the rows replaces all of them.
 */
async function empty(session: Session, target: string): Promise<void> {
  await session.query(`lock table ${target} in share row exclusive mode; delete from ${target}`);
}

function insertFrom({ columns, isOverriding }: Plan, target: string, stage: string): string {
  const overriding = isOverriding ? "overriding system value " : "";
  const values = columns.map(({ expression }) => expression).join(", ");
  const names = quoteList(columns.map(({ name }) => name));
  return `insert into ${target} (${names}) ${overriding}select ${values} from ${stage} s`;
}

async function merge(
  session: Session,
  plan: Plan,
  target: string,
  stage: string,
  key: readonly string[],
): Promise<void> {
  const others = plan.columns.filter(({ name }) => !key.includes(name));
  const insert = insertFrom(plan, target, stage);
  if (await hasUniqueIndex(session, target, key)) {
    const set = others
      .map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
      .join(", ");
    const action = set === "" ? "nothing" : `update set ${set}`;
    await session.query(`${insert} on conflict (${quoteList(key)}) do ${action}`);
    return;
  }
  const keys = plan.columns.filter(({ name }) => key.includes(name));
  const match = keys
    .map(({ name, expression }) => `t.${quoteIdentifier(name)} = ${expression}`)
    .join(" and ");
  const set = others.map(({ name, expression }) => `${quoteIdentifier(name)} = ${expression}`).join(", ");
  // Without an index nothing else keeps two writers from inserting the same key.
  await session.query(`lock table ${target} in share row exclusive mode`);
  if (set !== "") await session.query(`update ${target} t set ${set} from ${stage} s where ${match}`);
  await session.query(`${insert} where not exists (select from ${target} t where ${match})`);
}

/** Whether ON CONFLICT can use an index on exactly these columns. */
async function hasUniqueIndex(session: Session, target: string, key: readonly string[]): Promise<boolean> {
  const { rows } = await session.ask(
    `select exists (select from pg_catalog.pg_index i where i.indrelid = $1::regclass
      and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
      and (select json_agg(a.attname order by a.attname collate "C") from unnest(i.indkey::int2[]) with ordinality as k(attribute, place)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attribute
        where k.place <= i.indnkeyatts)::jsonb
      = (select json_agg(k order by k collate "C") from json_array_elements_text($2::json) as k)::jsonb)`,
    [target, JSON.stringify([...new Set(key)])],
  );
  return rows[0]?.[0] === "t";
}
