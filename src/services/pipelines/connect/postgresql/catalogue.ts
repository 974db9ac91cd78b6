/** What PostgreSQL's catalogue tells of tables and of the results of queries. */
import { ConnectorError } from "../connector.ts";
import type { CatalogueColumn, Column, TableSchema } from "../types.ts";
import { quoteIdentifier, quoteTable, type TableName } from "./identifiers.ts";
import { type Field, PostgresError } from "./messages.ts";
import { commonType } from "./native-types.ts";
import type { Session } from "./wire.ts";

/** A table that was found. */
export interface FoundTable extends TableName {
  schema: string;
  /** Its number in the catalogue. */
  oid: string;
  /** `r` table, `p` partitioned, `v` view, `m` materialized view, `f` foreign. */
  kind: string;
  /** The planner's estimate; -1 when it has none. */
  estimate: number;
}

/** A column of a result. */
export interface ResultColumn extends Column {
  /** As PostgreSQL writes the type; of a domain its base type. */
  nativeType: string;
}

const countedBelow = 100_000;
const countMilliseconds = 10_000;
const tooLate = "57014";

/**
 * Looks for a table, a view or a foreign table: by the name as it stands, then in lower case as SQL reads it. Null when there is none that we may see.
 */
export async function findTable(session: Session, { schema, name }: TableName): Promise<FoundTable | null> {
  const { rows } = await session.ask(
    `select c.oid, n.nspname, c.relname, c.relkind, c.reltuples
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname in ($1::text, lower($1::text))
      and case when $2::text is null then pg_catalog.pg_table_is_visible(c.oid) else n.nspname in ($2::text, lower($2::text)) end
    order by c.relname <> $1::text, n.nspname is distinct from $2::text limit 1`,
    [name, schema],
  );
  const [oid, foundSchema, foundName, kind, estimate] = rows[0] ?? [];
  if (!oid || !foundSchema || !foundName || !kind) return null;
  return { oid, schema: foundSchema, name: foundName, kind, estimate: Number(estimate) };
}

/** As `findTable`; throws `ConnectorError` with code `notFound`. */
export async function requireTable(session: Session, table: TableName): Promise<FoundTable> {
  const found = await findTable(session, table);
  if (found) return found;
  const name = table.schema === null ? table.name : `${table.schema}.${table.name}`;
  throw new ConnectorError("notFound", `there is no table ${name}`);
}

/** Columns of a result with their types' names. `nullable` is false only for what comes straight from a column that is. */
export async function describeFields(session: Session, fields: readonly Field[]): Promise<ResultColumn[]> {
  const { rows } = await session.ask(
    `select pg_catalog.format_type(t.oid, f.modifier), e.oid, coalesce(a.attnotnull, false)
    from unnest($1::oid[], $2::int[], $3::oid[], $4::int[]) with ordinality as f(type, modifier, relation, attribute, place)
    join pg_catalog.pg_type t on t.oid = f.type
    left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A' and e.typname = 'citext'
    left join pg_catalog.pg_attribute a on a.attrelid = f.relation and a.attnum = f.attribute and f.attribute > 0
    order by f.place`,
    [
      listOf(fields.map(({ type }) => type)),
      listOf(fields.map(({ modifier }) => modifier)),
      listOf(fields.map(({ table }) => table)),
      listOf(fields.map(({ attribute }) => attribute)),
    ],
  );
  return fields.map(({ name, type, modifier }, index) => {
    const [nativeType, element, isNotNull] = rows[index] ?? [];
    if (nativeType == null) throw new ConnectorError("schema", `the type of the column ${name} is unknown`);
    const common = commonType({ type, modifier, element: element == null ? undefined : Number(element) });
    return { name, type: common, nullable: isNotNull !== "t", nativeType };
  });
}

const listOf = (numbers: readonly number[]) => `{${numbers.join(",")}}`;

/** Everything about a table. The rows are counted when there are few or when nobody ever estimated them, for 10 s at most. */
export async function readSchema(session: Session, name: TableName): Promise<TableSchema> {
  const table = await requireTable(session, name);
  const { fields } = await session.describe(`select * from ${quoteTable(table)}`);
  const described = await describeFields(session, fields ?? []);
  const { rows } = await session.ask(
    `select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), exists (
      select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey::int2[]))
    from pg_catalog.pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table.oid],
  );
  const attributes = new Map(rows.map(([attribute, type, isKey]) => [attribute, { type, isKey }]));
  const columns = described.map((column): CatalogueColumn => {
    const attribute = attributes.get(column.name);
    return {
      ...column,
      nativeType: attribute?.type ?? column.nativeType,
      primaryKey: attribute?.isKey === "t",
    };
  });
  return { columns, rowCount: await countRows(session, table), indexes: await readIndexes(session, table) };
}

/** Expressions in an index are given as SQL. */
async function readIndexes(session: Session, { oid }: FoundTable): Promise<TableSchema["indexes"]> {
  const { rows } = await session.ask(
    `select c.relname, json_agg(coalesce(a.attname, pg_catalog.pg_get_indexdef(i.indexrelid, k.place::int, true)) order by k.place)
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
    cross join unnest(i.indkey::int2[]) with ordinality as k(attribute, place)
    left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attribute and k.attribute <> 0
    where i.indrelid = $1::oid and not i.indisprimary and k.place <= i.indnkeyatts group by c.relname order by c.relname`,
    [oid],
  );
  return rows.map(([name, columns]) => ({
    name: name ?? "",
    columns: JSON.parse(columns ?? "[]") as string[],
  }));
}

async function countRows(session: Session, table: FoundTable): Promise<number | null> {
  if (table.estimate >= countedBelow) return Math.round(table.estimate);
  try {
    await session.query(`begin read only; set local statement_timeout = ${countMilliseconds}`);
    const { rows } = await session.ask(
      `select count(*) from ${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`,
    );
    return Number(rows[0]?.[0]);
  } catch (error) {
    if (error instanceof PostgresError && error.code === tooLate) return null;
    throw error;
  } finally {
    if (!session.isClosed) await session.query("rollback");
  }
}
