/** What the tests of ClickHouse share: connectors, streams of rows, and what comes back. */
import { test } from "bun:test";
import { clickhouse } from "../../../src/services/pipelines/connect/clickhouse/connector.ts";
import type { Connector, Staged, WriteRequest } from "../../../src/services/pipelines/connect/connector.ts";
import type { Column, RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { hasClickHouse, type TestClickHouse } from "../../support/clickhouse.ts";

export const testWithClickHouse = hasClickHouse ? test : test.skip;

export const never: AbortSignal = new AbortController().signal;

/** How a connector is told of it. */
export const clickhouseOptions = ({ host, port, username, password }: TestClickHouse) => ({
  type: "clickhouse",
  config: { host, port, database: "default" },
  credentials: { username, password },
});

export const connectorTo = (server: TestClickHouse): Connector => clickhouse(clickhouseOptions(server));

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

export const rowsOf = (columns: Column[], text: string): RowStream => ({ columns, chunks: once(text) });

/** Columns that may be NULL unless their name ends with `!`. */
export const columnsOf = (types: Record<string, Column["type"]>): Column[] =>
  Object.entries(types).map(([name, type]) => ({
    name: name.replace("!", ""),
    type,
    nullable: !name.endsWith("!"),
  }));

export async function textOf(stream: RowStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export const writing = (table: string, request: Partial<WriteRequest> = {}): WriteRequest => ({
  table,
  mode: "append",
  key: [],
  onSchemaChange: "fail",
  ...request,
});

let runs = 0;

/** Stages rows under a run id of their own. */
export function stage(
  connector: Connector,
  request: WriteRequest,
  rows: RowStream,
  runId = `run-${++runs}`,
  signal: AbortSignal = never,
): Promise<Staged> {
  if (!connector.stage) throw new Error("the connector does not write");
  return connector.stage(request, rows, runId, signal);
}

/** Stages and publishes. */
export async function write(connector: Connector, request: WriteRequest, rows: RowStream): Promise<Staged> {
  const staged = await stage(connector, request, rows);
  await staged.publish();
  return staged;
}
