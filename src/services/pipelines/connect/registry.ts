/** The systems that pipelines know: one line each. */
import { clickhouse } from "./clickhouse/connector.ts";
import { type Connector, ConnectorError, type ConnectorOptions } from "./connector.ts";
import { FilesConnector, type FilesOptions } from "./files/connector.ts";
import { PostgresqlConnector } from "./postgresql/connector.ts";

interface System {
  open(options: ConnectorOptions, files: FilesOptions): Connector;
  /** A name in the system's SQL. */
  quote(name: string): string;
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
  clickhouse: { open: clickhouse, quote: backquoted },
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

/** How a system's SQL writes the name of a column. */
export const quoteFor = (type: string): ((name: string) => string) => systemOf(type).quote;

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
