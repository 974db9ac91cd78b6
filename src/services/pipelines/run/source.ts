/** Where a run's rows come from: which of them, and what of the work the source itself can do. */
import { type Connector, ConnectorError, type ReadRequest } from "../connect/connector.ts";
import type { RowStream } from "../connect/types.ts";
import type { Definition } from "../definition.ts";
import type { RunContext } from "./execute.ts";
import { bound } from "./parameters.ts";
import { type Watermark, watermarkOf } from "./watermarks.ts";

export interface PlannedSource {
  rows: RowStream;
  /** What is left to be done with the rows. */
  transformations: Definition["transformations"];
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

/** Only what is new: beyond what was read last, up to what is there now. Null: nothing is. */
async function newOnly(
  context: RunContext,
  connector: Connector,
  request: ReadRequest,
  source: string,
): Promise<{ request: ReadRequest; watermarks: Watermark[] }> {
  const column = context.definition.config.cursor;
  if (column === undefined) return { request, watermarks: [] };
  if (!connector.latest)
    throw new ConnectorError("unsupported", "config.cursor is not supported by this source");
  const after = await watermarkOf(context.sql, context.pipelineId, source);
  const upTo = (await connector.latest(request, column, context.signal)) ?? after;
  context.log(`cursor ${column}: after ${after ?? "the beginning"} up to ${upTo ?? "nothing"}`);
  if (upTo === null) return { request, watermarks: [] };
  return { request: { ...request, cursor: { column, after, upTo } }, watermarks: [{ source, value: upTo }] };
}

/** The first transformation as a query of the source; null where it must be done here. */
function pushedDown(context: RunContext, type: string, request: ReadRequest): ReadRequest | null {
  const [first] = context.definition.transformations;
  if (!sqlSystems.has(type) || first?.type !== "sql" || request.table === undefined || request.cursor)
    return null;
  const { sql, values } = bound(first.code.trim().replace(/;\s*$/, ""), context.parameters);
  const input = `input as (select * from ${request.table})`;
  const query = /^with\s/i.test(sql) ? sql.replace(/^with\s/i, `with ${input}, `) : `with ${input} ${sql}`;
  return { query, parameters: values };
}

/** Opens the source and begins to read. */
export async function planSource(
  context: RunContext,
  opened: { add(close: () => Promise<unknown>): void },
): Promise<PlannedSource> {
  const { definition, connectors, parameters, signal, log } = context;
  const [endpoint, ...others] = definition.sources;
  if (!endpoint) throw new ConnectorError("schema", "the pipeline has no source");
  if (others.length > 0)
    throw new ConnectorError("unsupported", "a pipeline reads from one source; join in its config.query");
  const { connector, config, type } = await connectors.open(endpoint);
  opened.add(() => connector.close());
  const source = endpoint.id ?? "source_1";
  const { request, watermarks } = await newOnly(context, connector, requestOf(config, parameters), source);
  const pushed = pushedDown(context, type, request);
  if (pushed) {
    try {
      const rows = await connector.read(pushed, signal);
      log("the first transformation is done by the source");
      return { rows, transformations: definition.transformations.slice(1), watermarks };
    } catch (error) {
      // Another dialect, or something that only we know: it is done here.
      if (!(error instanceof ConnectorError) || error.code !== "refused") throw error;
    }
  }
  return {
    rows: await connector.read(request, signal),
    transformations: definition.transformations,
    watermarks,
  };
}
