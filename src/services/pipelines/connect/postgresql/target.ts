/** The table that rows are written to, and how they fit into it. */
import { ConnectorError, type WriteRequest } from "../connector.ts";
import type { Column } from "../types.ts";
import { findTable } from "./catalogue.ts";
import { checkName, parseTable, quoteIdentifier, type TableName } from "./identifiers.ts";
import { arrayFromJson, ddlType } from "./native-types.ts";
import type { Session } from "./wire.ts";

/** How the rows go into the target. */
export interface Plan {
  table: TableName & { schema: string };
  exists: boolean;
  columns: PlannedColumn[];
  /** Columns that the target still lacks. */
  added: Column[];
  /** Whether values go into a column that the server wants to number itself. */
  isOverriding: boolean;
}

interface PlannedColumn {
  name: string;
  /** Its type in the staging table. */
  stageType: string;
  /** What the final INSERT takes from the staging table `s`. */
  expression: string;
}

interface TargetColumn {
  name: string;
  type: string;
  isArray: boolean;
  /** Whether a row must give a value. */
  isRequired: boolean;
  /** `a`: always numbered by the server. */
  identity: string;
  isGenerated: boolean;
}

/**
 * Looks at the target. Throws `ConnectorError`: `schema` when the rows do not fit, `unsupported` for what is not a table.
 */
export async function planWrite(
  session: Session,
  request: WriteRequest,
  columns: readonly Column[],
  defaultSchema: string | null,
): Promise<Plan> {
  checkColumns(request, columns);
  const wanted = parseTable(request.table, defaultSchema);
  const found = await findTable(session, wanted);
  if (!found) {
    checkName(wanted.name);
    const schema = wanted.schema ?? (await currentSchema(session));
    const table = { schema, name: wanted.name };
    return { table, exists: false, columns: columns.map(planNew), added: [...columns], isOverriding: false };
  }
  if (found.kind !== "r" && found.kind !== "p")
    throw new ConnectorError("unsupported", `${request.table} is not a table that rows can be written to`);
  const existing = await readTarget(session, found.oid);
  const added = columns.filter(({ name }) => !existing.has(name));
  checkFit(request, columns, existing, added);
  return {
    table: { schema: found.schema, name: found.name },
    exists: true,
    columns: columns.map((column) => planOne(column, existing.get(column.name))),
    added,
    isOverriding: columns.some(({ name }) => existing.get(name)?.identity === "a"),
  };
}

/** The columns of a table that is made. */
export const definitionsOf = (columns: readonly Column[]): string[] =>
  columns.map(
    ({ name, type, nullable }) => `${quoteIdentifier(name)} ${ddlType(type)}${nullable ? "" : " not null"}`,
  );

const named = (columns: readonly { name: string }[]) => columns.map(({ name }) => name).join(", ");

function checkColumns({ mode, key }: WriteRequest, columns: readonly Column[]): void {
  if (columns.length === 0) throw new ConnectorError("schema", "the rows have no columns");
  for (const { name } of columns) checkName(name);
  if (mode !== "merge") return;
  if (key.length === 0) throw new ConnectorError("refused", "merge needs a key");
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0)
    throw new ConnectorError("schema", `the rows lack the key's columns: ${missing.join(", ")}`);
}

function checkFit(
  { table, onSchemaChange }: WriteRequest,
  columns: readonly Column[],
  existing: ReadonlyMap<string, TargetColumn>,
  added: readonly Column[],
): void {
  if (added.length > 0 && onSchemaChange === "fail")
    throw new ConnectorError("schema", `${table} lacks columns that the rows have: ${named(added)}`);
  const given = new Set(columns.map(({ name }) => name));
  const required = [...existing.values()].filter(({ name, isRequired }) => isRequired && !given.has(name));
  if (required.length > 0)
    throw new ConnectorError("schema", `the rows lack columns that ${table} requires: ${named(required)}`);
  const generated = [...existing.values()].filter(({ name, isGenerated }) => isGenerated && given.has(name));
  if (generated.length > 0)
    throw new ConnectorError("schema", `${table} computes columns that the rows have: ${named(generated)}`);
}

const planNew = (column: Column): PlannedColumn => planOne(column, undefined);

/** Arrays come as JSON, which no array type reads: they lie as text until the last step. */
function planOne({ name, type }: Column, target: TargetColumn | undefined): PlannedColumn {
  const column = `s.${quoteIdentifier(name)}`;
  const native = target?.type ?? ddlType(type);
  const isArray = type.kind === "array" && (target?.isArray ?? true);
  return isArray
    ? { name, stageType: "text", expression: arrayFromJson(column, native) }
    : { name, stageType: native, expression: column };
}

async function currentSchema(session: Session): Promise<string> {
  const { rows } = await session.ask("select current_schema()");
  const schema = rows[0]?.[0];
  if (schema == null) throw new ConnectorError("notFound", "there is no schema to make the table in");
  return schema;
}

async function readTarget(session: Session, oid: string): Promise<Map<string, TargetColumn>> {
  const { rows } = await session.ask(
    `select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory = 'A',
      a.attnotnull and not a.atthasdef and a.attidentity = '' and t.typdefault is null, a.attidentity, a.attgenerated <> ''
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped`,
    [oid],
  );
  const columns = rows.map(([name, type, isArray, isRequired, identity, isGenerated]): TargetColumn => {
    if (name == null || type == null)
      throw new ConnectorError("schema", "the catalogue of the target cannot be read");
    const flags = {
      isArray: isArray === "t",
      isRequired: isRequired === "t",
      isGenerated: isGenerated === "t",
    };
    return { name, type, identity: identity ?? "", ...flags };
  });
  return new Map(columns.map((column) => [column.name, column]));
}
