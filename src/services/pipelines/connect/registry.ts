/** The systems that pipelines know: one line each. */
import { clickhouse } from "./clickhouse/connector.ts";
import { type Connector, ConnectorError, type ConnectorOptions } from "./connector.ts";
import { FilesConnector, type FilesOptions } from "./files/connector.ts";
import { PostgresqlConnector } from "./postgresql/connector.ts";

/** How a system's SQL is written, where systems differ. */
export interface Dialect {
  /** A name. */
  quote(name: string): string;
  /** A column as it may be compared with a number that has a fraction; the column itself where this is left out. */
  asFraction?(column: string): string;
}

interface System extends Dialect {
  open(options: ConnectorOptions, files: FilesOptions): Connector;
}

const doubled = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const backquoted = (name: string): string => `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;

/** Files of one format. */
const files = (format: string): System => ({
  open: ({ config, credentials }, options) =>
    new FilesConnector(options, { config: { format, ...config }, credentials }),
  quote: doubled,
});

const systems: Record<string, System> = {
  postgresql: { open: (options) => new PostgresqlConnector(options), quote: doubled },
  // It does not compare decimals with other numbers than whole ones.
  clickhouse: { open: clickhouse, quote: backquoted, asFraction: (column) => `toFloat64(${column})` },
  csv: files("csv"),
  tsv: files("tsv"),
  json: files("json"),
  ndjson: files("ndjson"),
  parquet: files("parquet"),
};

/** The types that connectors may have. */
export const types: readonly string[] = Object.keys(systems);

function systemOf(type: string): System {
  const system = Object.hasOwn(systems, type) ? systems[type] : undefined;
  if (!system)
    throw new ConnectorError(
      "unsupported",
      `connectors of type ${type} are not supported: ${types.join(", ")}`,
    );
  return system;
}

/** How a system's SQL is written. */
export const dialectOf = (type: string): Dialect => systemOf(type);

/** Opens systems. Throws `ConnectorError` for one that is not known, or options that are not good. */
export class Systems {
  private readonly files: FilesOptions;

  constructor(options: FilesOptions) {
    this.files = options;
  }

  open(type: string, options: ConnectorOptions): Connector {
    return systemOf(type).open(options, this.files);
  }
}
