/**
 * Runs that Airflow does. Each has its row here first, held, and Airflow is then asked for a run of its name; the task of that run asks for the row by the name, and it
 * goes on. What becomes of Airflow's run is followed: whatever happens there or here, the row ends, and there is one.
 */
import { unavailable } from "../../../../platform/http/failures.ts";
import type { Log } from "../../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../../platform/telemetry/startup-error.ts";
import type { Run, RunRequest, Runs } from "../../runs.ts";
import { type AirflowClient, AirflowError, callMilliseconds } from "./client.ts";
import { dagRunIdOf } from "./names.ts";

/** Whoever made the row is not asking Airflow any more after this. */
const askedMilliseconds = callMilliseconds + 5_000;
/** Time in which Airflow may come to know a DAG. */
const unknownMilliseconds = 10 * 60_000;

/** A run and the DAG by which Airflow was asked for it. */
type Asked = Run & { airflow_dag_id: string };

const isAsked = (run: Run): run is Asked => run.airflow_dag_id !== null;

export class DagRuns {
  private readonly client: AirflowClient;
  private readonly runs: Runs;
  private readonly log: Log;
  private isAway = false;

  constructor(client: AirflowClient, runs: Runs, log: Log) {
    this.client = client;
    this.runs = runs;
    this.log = log;
  }

  /** As `Runs.request`, by way of Airflow. Fails with `unavailable` when Airflow does not take it: there is no run then. */
  async request(request: RunRequest): Promise<Run> {
    const { run } = await this.runs.request({ ...request, forAirflow: true });
    if (!isAsked(run) || !run.is_held) return run;
    try {
      await this.client.trigger(run.airflow_dag_id, dagRunIdOf(run.id));
    } catch (error) {
      // The answer alone may have been lost: then its task has begun, or will find nothing.
      if (await this.runs.takeBack(run.id)) throw refusal(error);
    }
    return run;
  }

  /** Ends Airflow's run of a run that was cancelled here. Where Airflow cannot be told, its task learns it when it asks for the run. */
  async cancelled(run: Run): Promise<void> {
    if (!isAsked(run)) return;
    await this.client
      .end(run.airflow_dag_id, dagRunIdOf(run.id))
      .catch((error: unknown) =>
        this.log.warn(
          { run: run.id, reason: reasonOf(error) },
          "Airflow could not be told of a cancellation",
        ),
      );
  }

  /** Looks at Airflow's runs of those that are open here. `now` in milliseconds. */
  async follow(now: number): Promise<void> {
    try {
      for (const run of (await this.runs.ofAirflow()).filter(isAsked)) await this.look(run, now);
      this.isAway = false;
    } catch (error) {
      if (!this.isAway) this.log.warn({ reason: reasonOf(error) }, "Airflow's runs cannot be followed");
      this.isAway = true;
    }
  }

  private async look(run: Asked, now: number): Promise<void> {
    const state = await this.client.stateOf(run.airflow_dag_id, dagRunIdOf(run.id));
    if (state === null) {
      if (run.is_held) await this.triggerLate(run, now - run.created_at.getTime());
    } else if (state === "failed" || state === "success") await this.over(run, state);
  }

  /** The server that made the row was killed before it asked Airflow. */
  private async triggerLate(run: Asked, age: number): Promise<void> {
    if (age < askedMilliseconds) return;
    try {
      await this.client.trigger(run.airflow_dag_id, dagRunIdOf(run.id));
    } catch (error) {
      if (!(error instanceof AirflowError && error.problem === "unknown")) throw error;
      if (age > unknownMilliseconds)
        await this.runs.failHeld(run, `Airflow does not know ${run.airflow_dag_id}`);
    }
  }

  /** Airflow's run is over and ours is not: its task never asked for it, or died. */
  private async over(run: Asked, state: "failed" | "success"): Promise<void> {
    if (run.is_held)
      return await this.runs.failHeld(
        run,
        `Airflow's run ${dagRunIdOf(run.id)} ended (${state}) before this one began: see its log in Airflow`,
      );
    this.log.warn({ run: run.id, state }, "Airflow ended its run before this one was over");
    await this.runs.cancel(run.pipeline_id, run.id).catch(() => {});
  }
}

function refusal(error: unknown): unknown {
  if (!(error instanceof AirflowError)) return error;
  const message =
    error.problem === "unknown" ? "Airflow has not read the pipeline's DAG file yet" : error.message;
  return unavailable(message, { code: "PIPELINE_EXECUTION_ERROR", retryAfter: 30, cause: error });
}
