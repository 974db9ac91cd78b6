/** Connectors as they are kept: credentials sealed, shown to nobody. */
import type { Sql } from "postgres";
import { isDuplicate } from "../../platform/database/refusal.ts";
import { conflict, unprocessable } from "../../platform/http/failures.ts";
import type { Sealer } from "../../platform/identity/sealing.ts";
import { notConfigured } from "../../platform/telemetry/health.ts";
import { isSameAddress, withoutAddress } from "./address.ts";
import { type Connector, ConnectorError, type TestResult } from "./connect/connector.ts";
import { type Systems, types } from "./connect/registry.ts";
import type { TableSchema } from "./connect/types.ts";
import type { Endpoint } from "./definition.ts";
import { connectorFailure } from "./failures.ts";
import { requireNumber, unknown } from "./ids.ts";
import { optionsOf, secretsOf, withoutSecrets } from "./secrets.ts";

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
const badField = (path: string[], message: string, type: string) =>
  unprocessable("Invalid request parameters", { problems: [{ path: ["body", ...path], message, type }] });

/** `field`: where the credentials are missed. */
const moved = (field: string) =>
  badField([field], "another address: the credentials must be given again", "value_error.missing");

const probeMilliseconds = 10_000;
const mostProbed = 5;
const testMilliseconds = 15_000;
const schemaMilliseconds = 60_000;

export class Connectors {
  private readonly sql: Sql;
  private readonly sealer: Sealer;
  private readonly systems: Systems;
  private readonly probes = new Map<string, { at: number; answer: Promise<unknown> }>();

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
    this.requireType(given.type, "type");
    const { config, secrets } = withoutSecrets(given.config);
    const sealed = this.seal(secretsOf(secrets, given.credentials));
    try {
      const [row] = await this
        .sql`insert into pipelines.connectors (name, type, config, credentials, created_by)
        values (${given.name}, ${given.type}, ${JSON.stringify(config)}::text::jsonb, ${sealed}, ${by}) returning id`;
      return await this.find(Number(row?.id));
    } catch (error) {
      throw isDuplicate(error) ? taken() : error;
    }
  }

  /** Changes what is given; credentials that are not given stay. Fails with `notFound`, `conflict`. */
  async update(id: number, given: Partial<Omit<NewConnector, "type">>): Promise<StoredConnector> {
    const before = await this.find(id);
    const { config, secrets } = withoutSecrets(given.config ?? before.config);
    const isGiven = secrets !== null || Object.keys(given.credentials ?? {}).length > 0;
    const isMoved = !isSameAddress(config, before.config);
    if (isMoved && !isGiven && (await this.hasCredentials(id))) throw moved("credentials");
    const kept = isGiven
      ? { ...(isMoved ? {} : await this.credentials(id)), ...secretsOf(secrets, given.credentials ?? null) }
      : null;
    try {
      await this
        .sql`update pipelines.connectors set name = ${given.name ?? before.name}, config = ${JSON.stringify(config)}::text::jsonb,
          credentials = coalesce(${this.seal(kept)}, credentials), updated_at = now()
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

  /** Whether all systems of a type answer; asked at most every ten seconds. Answers the longest latency (ms), `notConfigured` when there are none; rejects when one does not answer. */
  probe(type: string): Promise<unknown> {
    const last = this.probes.get(type);
    if (last && performance.now() - last.at < probeMilliseconds) return last.answer;
    const answer = this.probeAll(type);
    this.probes.set(type, { at: performance.now(), answer });
    return answer;
  }

  private async probeAll(type: string): Promise<unknown> {
    const rows = await this.sql`select id from pipelines.connectors
      where type = ${type} and deleted_at is null order by id limit ${mostProbed}`;
    if (rows.length === 0) return notConfigured;
    const results = await Promise.all(rows.map(({ id }) => this.tried(Number(id))));
    if (!results.every(({ queryExecutionSuccessful }) => queryExecutionSuccessful))
      throw new Error(`a ${type} does not answer`);
    return Math.max(...results.map(({ latency }) => latency ?? 0));
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
    const own =
      sealed === undefined || stored !== null
        ? {}
        : (JSON.parse(this.sealer.open(sealed)) as Record<string, unknown>);
    const special = stored === null ? config : withoutAddress(config);
    const options = optionsOf({ ...stored?.config, ...special }, { ...stored?.credentials, ...own });
    return { connector: this.systems.open(system, options), config: options.config, type: system };
  }

  /** An endpoint as it may be kept. Where it brings no secrets, those of `before` stay: clients are never shown them, and send back what they saw. */
  sealed(endpoint: Endpoint, before: readonly Endpoint[]): Endpoint {
    const { config, secrets } = withoutSecrets(endpoint.config);
    if (endpoint.connector_id !== undefined) {
      if (secrets !== null)
        throw badField(["config"], "credentials belong to the connector that is named", "value_error");
      return { ...endpoint, config, sealed: undefined };
    }
    const same = before.find(
      ({ id, type, connector_id }) =>
        id !== undefined && id === endpoint.id && type === endpoint.type && connector_id === undefined,
    );
    if (secrets === null && same?.sealed !== undefined && !isSameAddress(config, same.config))
      throw moved("config");
    const sealed = this.seal(secretsOf(secrets, null)) ?? same?.sealed;
    return { ...endpoint, config, ...(sealed === undefined ? {} : { sealed }) };
  }

  /** Fails with `unprocessable`. `field` is where the type was found in the body. */
  requireType(type: string, field: string): void {
    if (types.includes(type)) return;
    const message = `value is not a valid enumeration member; permitted: ${types.map((each) => `'${each}'`).join(", ")}`;
    throw badField(field.split("."), message, "type_error.enum");
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
        connectionEstablished: error.code === "authentication",
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

  private async hasCredentials(id: number): Promise<boolean> {
    const [row] = await this
      .sql`select credentials is not null as has from pipelines.connectors where id = ${id}`;
    return row?.has === true;
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
