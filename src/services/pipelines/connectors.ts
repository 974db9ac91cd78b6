/** Connectors as they are kept: credentials sealed, shown to nobody. */
import type { Sql } from "postgres";
import { conflict, unprocessable } from "../../platform/http/failures.ts";
import type { Sealer } from "../../platform/identity/sealing.ts";
import { type Connector, ConnectorError, type TestResult } from "./connect/connector.ts";
import { type Systems, types } from "./connect/registry.ts";
import type { TableSchema } from "./connect/types.ts";
import type { Endpoint } from "./definition.ts";
import { connectorFailure } from "./failures.ts";
import { requireNumber, unknown } from "./ids.ts";
import { isDuplicate } from "./projects.ts";

export interface StoredConnector {
  id: number;
  name: string;
  type: string;
  config: Record<string, unknown>;
  status: string;
  created_at: Date;
  last_tested: Date | null;
  test_status: string | null;
}

export interface NewConnector {
  name: string;
  type: string;
  config: Record<string, unknown>;
  credentials: Record<string, unknown> | null;
}

const taken = () => conflict("A connector of this name exists", { details: { field: "name" } });
const testMilliseconds = 15_000;
const schemaMilliseconds = 60_000;

/** Fields of a configuration that are secrets wherever they stand. */
const secretNames = /^(password|passwd|secret|token|api_?key|access_?key|private_?key)$/i;

export class Connectors {
  private readonly sql: Sql;
  private readonly sealer: Sealer;
  private readonly systems: Systems;

  constructor(sql: Sql, sealer: Sealer, systems: Systems) {
    this.sql = sql;
    this.sealer = sealer;
    this.systems = systems;
  }

  async list({
    limit,
    offset,
  }: {
    limit: number;
    offset: number;
  }): Promise<{ rows: StoredConnector[]; total: number }> {
    const rows = await this.sql<
      StoredConnector[]
    >`select id, name, type, config, status, created_at, last_tested, test_status
      from pipelines.connectors where deleted_at is null order by id limit ${limit} offset ${offset}`;
    const [all] = await this
      .sql`select count(*)::int as total from pipelines.connectors where deleted_at is null`;
    return { rows, total: Number(all?.total ?? 0) };
  }

  /** Fails with `notFound`. */
  async find(id: number): Promise<StoredConnector> {
    const [row] = await this.sql<
      StoredConnector[]
    >`select id, name, type, config, status, created_at, last_tested, test_status
      from pipelines.connectors where id = ${id} and deleted_at is null`;
    if (!row) throw unknown("connector");
    return row;
  }

  /** Fails with `unprocessable` for a type that is not known, `conflict` for a name that is taken. */
  async create(given: NewConnector, by: number): Promise<StoredConnector> {
    this.requireType(given.type);
    const { config, credentials } = separated(given.config, given.credentials);
    try {
      const [row] = await this
        .sql`insert into pipelines.connectors (name, type, config, credentials, created_by)
        values (${given.name}, ${given.type}, ${JSON.stringify(config)}::text::jsonb, ${this.seal(credentials)}, ${by}) returning id`;
      return await this.find(Number(row?.id));
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
  }

  /** Changes what is given; credentials that are not given stay. Fails with `notFound`, `conflict`. */
  async update(id: number, given: Partial<Omit<NewConnector, "type">>): Promise<StoredConnector> {
    const before = await this.find(id);
    const { config, credentials } = separated(given.config ?? before.config, given.credentials ?? null);
    try {
      await this
        .sql`update pipelines.connectors set name = ${given.name ?? before.name}, config = ${JSON.stringify(config)}::text::jsonb,
          credentials = coalesce(${this.seal(credentials)}, credentials), updated_at = now()
        where id = ${id}`;
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
    return await this.find(id);
  }

  /** Marks a connector as deleted. Fails with `notFound`. */
  async remove(id: number, by: number): Promise<void> {
    const gone = await this.sql`update pipelines.connectors set deleted_at = now(), deleted_by = ${by}
      where id = ${id} and deleted_at is null`;
    if (gone.count === 0) throw unknown("connector");
  }

  /** Connects for real, and keeps how it went. */
  async test(id: number): Promise<{ result: TestResult; at: Date }> {
    const result = await this.tried(id);
    const status = result.queryExecutionSuccessful ? "success" : "failed";
    const [row] = await this.sql`update pipelines.connectors set last_tested = now(), test_status = ${status},
      status = ${status === "success" ? "active" : "error"} where id = ${id} returning last_tested`;
    return { result, at: row?.last_tested as Date };
  }

  /** Fails with `CONNECTOR_ERROR`, or `notFound` for a table that is not there. */
  async schema(id: number, table: string): Promise<TableSchema> {
    const signal = AbortSignal.timeout(schemaMilliseconds);
    try {
      return await this.using(id, (connector) => connector.schema(table, signal));
    } catch (error) {
      throw connectorFailure(error);
    }
  }

  /** What an endpoint of a pipeline names, connected to, with the configuration that counts there. The caller closes it. */
  async open({
    type,
    connector_id,
    config,
    sealed,
  }: Endpoint): Promise<{ connector: Connector; config: Record<string, unknown>; type: string }> {
    const stored = connector_id === undefined ? null : await this.stored(connector_id);
    const system = stored?.type ?? type ?? "";
    const all = { ...stored?.config, ...config };
    const own = sealed === undefined ? {} : (JSON.parse(this.sealer.open(sealed)) as Record<string, unknown>);
    const credentials = { ...stored?.credentials, ...own };
    return {
      connector: this.systems.open(system, { config: all, credentials }),
      config: all,
      type: system,
    };
  }

  /** An endpoint as it may be kept. Where it brings no secrets, those of `before` stay: clients are never shown them, and send back what they saw. */
  sealed(endpoint: Endpoint, before: readonly Endpoint[]): Endpoint {
    const { config, credentials } = separated(endpoint.config, null);
    const same = before.find(
      ({ id, type }) => id !== undefined && id === endpoint.id && type === endpoint.type,
    );
    const sealed = this.seal(credentials) ?? same?.sealed;
    return { ...endpoint, config, ...(sealed === undefined ? {} : { sealed }) };
  }

  /** Fails with `unprocessable`. */
  requireType(type: string): void {
    if (types.includes(type)) return;
    const message = `value is not a valid enumeration member; permitted: ${types.map((each) => `'${each}'`).join(", ")}`;
    throw unprocessable("Invalid request parameters", {
      problems: [{ path: ["body", "type"], message, type: "type_error.enum" }],
    });
  }

  private async stored(connectorId: string) {
    const id = requireNumber("connector", connectorId);
    return { ...(await this.find(id)), credentials: await this.credentials(id) };
  }

  private async tried(id: number): Promise<TestResult> {
    const signal = AbortSignal.timeout(testMilliseconds);
    try {
      return await this.using(id, (connector) => connector.test(signal));
    } catch (error) {
      if (!(error instanceof ConnectorError)) throw error;
      return {
        connectionEstablished: error.code !== "unreachable",
        authenticationSuccessful: false,
        queryExecutionSuccessful: false,
        latency: null,
        error: error.message,
      };
    }
  }

  private async using<T>(id: number, task: (connector: Connector) => Promise<T>): Promise<T> {
    const { type, config } = await this.find(id);
    const connector = this.systems.open(type, { config, credentials: await this.credentials(id) });
    try {
      return await task(connector);
    } finally {
      await connector.close();
    }
  }

  private async credentials(id: number): Promise<Record<string, unknown>> {
    const [row] = await this.sql`select credentials from pipelines.connectors where id = ${id}`;
    return row?.credentials
      ? (JSON.parse(this.sealer.open(String(row.credentials))) as Record<string, unknown>)
      : {};
  }

  private seal(credentials: Record<string, unknown> | null): string | null {
    return credentials === null ? null : this.sealer.seal(JSON.stringify(credentials));
  }
}

/** Secrets that stand in a configuration are credentials as well: they are sealed, and not shown. */
export function separated(
  config: Record<string, unknown>,
  credentials: Record<string, unknown> | null,
): { config: Record<string, unknown>; credentials: Record<string, unknown> | null } {
  const secrets = Object.entries(config).filter(([name]) => secretNames.test(name));
  if (secrets.length === 0 && credentials === null) return { config, credentials };
  const open = Object.entries(config).filter(([name]) => !secretNames.test(name));
  const user = config.username ?? config.user;
  return {
    config: Object.fromEntries(open),
    credentials: {
      ...(user === undefined ? {} : { username: user }),
      ...Object.fromEntries(secrets),
      ...credentials,
    },
  };
}
