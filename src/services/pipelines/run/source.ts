/** Where a run's rows come from: which of them, and what of the work a source itself can do. */
import { createHash } from "node:crypto";
import { type Connector, ConnectorError, type ReadRequest } from "../connect/connector.ts";
import type { RowStream } from "../connect/types.ts";
import type { Endpoint } from "../definition.ts";
import type { RunContext } from "./execute.ts";
import { bound } from "./parameters.ts";
import { planned, type Watermark, watermarkOf } from "./watermarks.ts";

/** Takes what must be closed when the run ends. */
interface Opened {
  add(close: () => Promise<unknown>): void;
}

export interface PlannedSource {
  /** Named as the source is. */
  name: string;
  rows: RowStream;
  /** How many of the transformations the source does itself. */
  done: number;
  /** What is kept once the rows are published. */
  watermarks: Watermark[];
}

/** Systems that may do a first transformation in SQL themselves. */
const sqlSystems = new Set(["postgresql"]);

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined;

function requestOf(config: Record<string, unknown>, parameters: Record<string, unknown>): ReadRequest {
  const query = textOf(config.query);
  if (query === undefined)
    return { table: textOf(config.table) ?? textOf(config.path) ?? textOf(config.file) };
  const { sql, values } = bound(query.replace(/;\s*$/, ""), parameters);
  return { query: sql, parameters: values };
}

/** The column that tells what is new: a source's own, or the pipeline's for the first one. */
const cursorOf = ({ definition }: RunContext, index: number): string | undefined =>
  textOf(definition.sources[index]?.config.cursor) ?? (index === 0 ? definition.config.cursor : undefined);

/** What a watermark stands for: of another table or column it would say nothing. */
function placeOf(name: string, { type, connector_id, config }: Endpoint, column: string | undefined): string {
  const { host, port, database, schema, table, path, file } = config;
  const place = [connector_id ?? type, host, port, database, schema, table, path, file, column];
  // A hash that no version of Bun changes: under another name everything would be read again.
  return `${name} ${createHash("sha256").update(JSON.stringify(place)).digest("hex").slice(0, 16)}`;
}

/** Only what is new: beyond what was read last, up to what is there now. Another attempt reads what the first one did. */
async function newOnly(
  context: RunContext,
  connector: Connector,
  request: ReadRequest,
  { source, column }: { source: string; column: string | undefined },
): Promise<{ request: ReadRequest; watermarks: Watermark[] }> {
  if (column === undefined) return { request, watermarks: [] };
  if (!connector.latest)
    throw new ConnectorError("unsupported", "config.cursor is not supported by this source");
  const before = (await planned(context.sql, context.runId))[source];
  const after = before ? before.after : await watermarkOf(context.sql, context.pipelineId, source);
  const upTo = before?.value ?? (await connector.latest(request, column, context.signal)) ?? after;
  context.log(`cursor ${column}: after ${after ?? "the beginning"} up to ${upTo ?? "nothing"}`);
  if (upTo === null) return { request, watermarks: [] };
  return {
    request: { ...request, cursor: { column, after, upTo } },
    watermarks: [{ source, after, value: upTo }],
  };
}

/** The first transformation as a query of the source; null where it must be done here. */
function pushedDown(context: RunContext, type: string, request: ReadRequest): ReadRequest | null {
  const { sources, transformations } = context.definition;
  const [first] = transformations;
  if (sources.length > 1) return null;
  if (!sqlSystems.has(type) || first?.type !== "sql" || request.table === undefined || request.cursor)
    return null;
  const { sql, values } = bound(first.code.trim().replace(/;\s*$/, ""), context.parameters);
  const input = `input as (select * from ${request.table})`;
  const query = /^with\s/i.test(sql) ? sql.replace(/^with\s/i, `with ${input}, `) : `with ${input} ${sql}`;
  return { query, parameters: values };
}

/** Opens the sources and begins to read. */
export async function planSources(context: RunContext, opened: Opened): Promise<PlannedSource[]> {
  const { sources } = context.definition;
  if (sources.length === 0) throw new ConnectorError("schema", "the pipeline has no source");
  const plans: PlannedSource[] = [];
  for (const index of sources.keys()) plans.push(await planSource(context, index, opened));
  return plans;
}

async function planSource(context: RunContext, index: number, opened: Opened): Promise<PlannedSource> {
  const { definition, connectors, parameters, signal, log } = context;
  const endpoint = definition.sources[index] as Endpoint;
  const { connector, config, type } = await connectors.open(endpoint);
  opened.add(() => connector.close());
  const name = endpoint.id ?? `source_${index + 1}`;
  const asked = requestOf(config, parameters);
  const column = cursorOf(context, index);
  const { request, watermarks } = await newOnly(context, connector, asked, {
    source: placeOf(name, endpoint, column),
    column,
  });
  const pushed = pushedDown(context, type, request);
  if (pushed) {
    try {
      const rows = await connector.read(pushed, signal);
      log("the first transformation is done by the source");
      return { name, rows, done: 1, watermarks };
    } catch (error) {
      // Another dialect, or something that only we know: it is done here.
      if (!(error instanceof ConnectorError) || error.code !== "refused") throw error;
    }
  }
  return { name, rows: await connector.read(request, signal), done: 0, watermarks };
}
