/** A database without a server: the run is done in this process, as a server would do it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../../config.ts";
import { type Database, databaseAway } from "../../../platform/database/connect.ts";
import { openAsItIs } from "../../../platform/database/open.ts";
import { Failure } from "../../../platform/http/failures.ts";
import { requireKey } from "../../../platform/identity/resealing.ts";
import { type Sealer, sealerOf } from "../../../platform/identity/sealing.ts";
import { secretsDirectory } from "../../../platform/identity/secrets.ts";
import { NotifyTransport } from "../../../platform/realtime/notify-transport.ts";
import { Topics } from "../../../platform/realtime/topics.ts";
import { createLog } from "../../../platform/telemetry/log.ts";
import { reasonOf, StartupError } from "../../../platform/telemetry/startup-error.ts";
import { Systems } from "../connect/registry.ts";
import { Connectors } from "../connectors.ts";
import { idOf } from "../ids.ts";
import { Pipelines } from "../pipelines.ts";
import { RunWorker } from "../run/worker.ts";
import { type Run, Runs } from "../runs.ts";
import type { Errand, FollowedRun, ListedPipeline, LogLine, Office } from "./office.ts";
import { AwayError, patiently } from "./patience.ts";

const pageSize = 1_000;
const linesAtOnce = 1_000;
/** Servers on the same database leave a run to whoever asked for it this long. */
const reservedSeconds = 5;

export class LocalOffice implements Office {
  private readonly config: Config;
  private readonly database: Database;
  private readonly topics: Topics;
  private readonly leave: AbortSignal;
  private readonly pipelines: Pipelines;
  private readonly runs: Runs;
  private readonly connectors: Connectors;
  private readonly log = createLog("silent");
  private worker: RunWorker | null = null;

  private constructor(config: Config, database: Database, sealer: Sealer, leave: AbortSignal) {
    const { sql } = database;
    const { dataDirectory } = config;
    this.config = config;
    this.database = database;
    this.leave = leave;
    this.topics = new Topics(new NotifyTransport(sql), this.log);
    const systems = new Systems({ roots: config.pipelines.fileRoots, dataDirectory });
    this.connectors = new Connectors(sql, sealer, systems);
    this.pipelines = new Pipelines(sql, (endpoint) => endpoint, Date.now);
    this.runs = new Runs(sql, this.topics, this.pipelines);
  }

  /** Throws StartupError with one line when the database or the key cannot be had. */
  static async open(config: Config, url: string, leave: AbortSignal): Promise<LocalOffice> {
    const sealer = requireSealer(config);
    const database = await openAsItIs(url, config);
    try {
      await requireKey(database.sql, sealer);
    } catch (error) {
      await database.close();
      throw error;
    }
    const office = new LocalOffice(config, database, sealer, leave);
    await office.topics.start();
    return office;
  }

  async list(): Promise<ListedPipeline[]> {
    const all: ListedPipeline[] = [];
    for (;;) {
      const page = { limit: pageSize, offset: all.length };
      const { rows } = await this.pipelines.list({ projectId: null, status: null }, page);
      for (const { id, name, status, version, schedule } of rows)
        all.push({ id: idOf("pipeline", id), name, status, version, schedule });
      if (rows.length < pageSize) return all;
    }
  }

  async request({ pipelineId, version, runId, parameters }: Errand): Promise<FollowedRun> {
    const { run } = await this.ask(() =>
      this.runs.request({
        pipelineId,
        version,
        parameters,
        cause: "command",
        idempotencyKey: runId,
        reservedSeconds,
      }),
    );
    await this.work(run);
    return {
      id: idOf("run", run.id),
      look: () => this.ask(() => this.runs.find(pipelineId, run.id)),
      lines: async (after) => (await this.ask(() => this.runs.logs(run.id, after, linesAtOnce))).map(lineOf),
      cancel: () => this.ask(() => this.cancel(run)),
    };
  }

  /** Gives back what has not ended, for a server to go on with. */
  async close(): Promise<void> {
    await this.worker?.stop();
    await this.topics.stop();
    await this.database.close();
  }

  private async work(run: Run): Promise<void> {
    const { topics, log, pipelines, connectors } = this;
    const { sql } = this.database;
    const { dataDirectory } = this.config;
    const node = crypto.randomUUID();
    const only = run.id;
    this.worker = new RunWorker({
      sql,
      topics,
      log,
      pipelines,
      connectors,
      dataDirectory,
      concurrency: 1,
      node,
      only,
    });
    await this.worker.start();
  }

  private async cancel({ pipeline_id: pipelineId, id }: Run): Promise<void> {
    await this.runs.cancel(pipelineId, id).catch((error: unknown) => {
      if (!(error instanceof Failure && error.kind === "conflict")) throw error;
    });
  }

  private ask<T>(task: () => Promise<T>): Promise<T> {
    const told = async () => {
      try {
        return await task();
      } catch (error) {
        throw databaseAway(error) ? new AwayError(`the database is away: ${reasonOf(error)}`) : error;
      }
    };
    return patiently(told, this.leave);
  }
}

const lineOf = ({ id, at, level, message }: Record<string, unknown>): LogLine => ({
  id: Number(id),
  at: (at as Date).toISOString(),
  level: String(level),
  message: String(message),
});

/** What connectors' passwords are sealed under. A key that is made now opens nothing, so none is made. */
function requireSealer(config: Config): Sealer {
  const { encryptionKey, dataDirectory } = config;
  if (encryptionKey === null && !existsSync(join(secretsDirectory(dataDirectory), "sealing.key")))
    throw new StartupError(
      `ENCRYPTION_KEY, or DATA_DIR with the server's own key, is needed to open the connectors' passwords: there is no key in ${dataDirectory}`,
    );
  return sealerOf(config);
}
