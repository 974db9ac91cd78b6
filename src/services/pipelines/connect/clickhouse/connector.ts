/** ClickHouse by its HTTP interface, from version 18.16 on. */
import {
  type Connector,
  ConnectorError,
  type ConnectorOptions,
  type ReadRequest,
  type TestResult,
  type WriteRequest,
} from "../connector.ts";
import type { RowStream } from "../types.ts";
import { schemaOf } from "./catalogue.ts";
import { ClickHouseHttp } from "./http.ts";
import { latestOf, readRows } from "./read.ts";
import { tableName } from "./sql.ts";
import { stageRows } from "./stage.ts";

const testTimeout = 10_000;

/**
 * A connector to `config` {host, port?, database?, secure?} as `credentials` {username?, password?}. Nothing is connected to before it is used; there is nothing to close.
 * Throws `ConnectorError` "unsupported" for a host that is none.
 */
export function clickhouse(options: ConnectorOptions): Connector {
  const http = new ClickHouseHttp(options);
  const nameOf = (table: string) => tableName(table, http.database);
  return {
    test: (signal) => test(http, signal),
    schema: (table, signal) => schemaOf(http, nameOf(table), { signal }),
    latest: (request: ReadRequest, column, signal) => latestOf(http, request, column, { signal }),
    read: (request: ReadRequest, signal) => readRows(http, request, { signal }),
    stage: (request: WriteRequest, rows: RowStream, runId, signal) =>
      stageRows(http, nameOf(request.table), request, rows, runId, signal),
    close: async () => {},
  };
}

async function test(http: ClickHouseHttp, signal: AbortSignal): Promise<TestResult> {
  const begun = performance.now();
  try {
    await http.text("SELECT 1", { signal, timeout: testTimeout });
    return {
      connectionEstablished: true,
      authenticationSuccessful: true,
      queryExecutionSuccessful: true,
      latency: Math.round((performance.now() - begun) * 100) / 100,
      error: null,
    };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const isReached = error.code !== "unreachable";
    return {
      connectionEstablished: isReached,
      authenticationSuccessful: isReached && error.code !== "authentication",
      queryExecutionSuccessful: false,
      latency: null,
      error: error.message,
    };
  }
}
