/** Airflow as the orchestrator: it keeps the schedules of what is deployed, and where its API is known, does the runs that are asked for. */
import type { Sql } from "postgres";
import type { AirflowSettings } from "../../../../config.ts";
import { Periodic } from "../../../../platform/periodic.ts";
import type { Log } from "../../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../../platform/telemetry/startup-error.ts";
import type { Run, RunRequest, Runs } from "../../runs.ts";
import { AirflowClient } from "./client.ts";
import { DagRuns } from "./dag-runs.ts";
import { DagsDirectory } from "./dags-directory.ts";
import { type Deployed, whenRead } from "./deployed.ts";
import { Deployments } from "./deployments.ts";

export interface AirflowOptions {
  settings: AirflowSettings;
  sql: Sql;
  runs: Runs;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
}

const followMilliseconds = 3_000;
/** What another server or an earlier start left wrong is put right this often. */
const writeMilliseconds = 60_000;

export class Airflow {
  private readonly options: AirflowOptions;
  private readonly directory: DagsDirectory;
  private readonly deployments: Deployments;
  private readonly client: AirflowClient | null;
  private readonly dagRuns: DagRuns | null;
  private readonly following: Periodic;
  private readonly writing: Periodic;

  constructor(options: AirflowOptions) {
    const { settings, sql, runs, log, now } = options;
    this.options = options;
    this.directory = new DagsDirectory(settings.dagsDirectory);
    this.deployments = new Deployments(sql, this.directory);
    this.client = settings.api && new AirflowClient(settings.api);
    this.dagRuns = this.client && new DagRuns(this.client, runs, log);
    const follow = async () => await this.dagRuns?.follow(now());
    this.following = new Periodic(followMilliseconds, follow, (error) =>
      log.warn({ reason: reasonOf(error) }, "Airflow's runs cannot be followed"),
    );
    this.writing = new Periodic(writeMilliseconds, () => this.deployments.write(), this.notWritten);
  }

  /** Writes what was deployed before. Throws StartupError when the directory cannot be written. */
  async start(): Promise<void> {
    this.directory.prepare();
    await this.deployments.write();
    this.following.start();
    this.writing.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.following.stop(), this.writing.stop()]);
  }

  /** Brings the DAG files up to what is deployed. A failure is logged, and tried again within a minute. */
  async changed(): Promise<void> {
    await this.deployments.write().catch(this.notWritten);
  }

  private readonly notWritten = (error: unknown): void =>
    this.options.log.warn({ reason: reasonOf(error) }, "DAG files could not be written");

  /** Hands a deployed version to Airflow. What goes wrong there does not undo the deployment: it is answered. */
  async deployed(dagId: string): Promise<Deployed> {
    try {
      await this.deployments.write();
    } catch (error) {
      return { status: "failed", message: `The DAG file could not be written: ${reasonOf(error)}` };
    }
    if (!this.client) return { status: "written", message: null };
    try {
      return await whenRead(this.client, dagId);
    } catch (error) {
      return { status: "pending", message: reasonOf(error) };
    }
  }

  /** Asks for a run: through Airflow's API where it is known. Fails as `Runs.request`, and with `unavailable`. */
  async request(request: RunRequest): Promise<Run> {
    if (this.dagRuns) return await this.dagRuns.request(request);
    return (await this.options.runs.request(request)).run;
  }

  /** Tells Airflow of a run that was cancelled here. */
  async cancelled(run: Run): Promise<void> {
    await this.dagRuns?.cancelled(run);
  }
}
