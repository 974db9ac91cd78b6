/** Airflow's REST API, version 2 (Airflow 3). What it complains of is told without whatever was sent. */
import type { AirflowSettings } from "../../../../config.ts";
import { reasonOf } from "../../../../platform/telemetry/startup-error.ts";

/** `away`: no answer; `denied`: we are not let in; `unknown`: it does not have that; `exists`: it has that already; `refused`: anything else. */
export type AirflowProblem = "away" | "denied" | "unknown" | "exists" | "refused";

export class AirflowError extends Error {
  override readonly name = "AirflowError";
  readonly problem: AirflowProblem;

  constructor(problem: AirflowProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** Airflow's states of a run; others may come. */
export type DagRunState = "queued" | "running" | "success" | "failed";

/** Longest that one call may take, all its attempts together. */
export const callMilliseconds = 10_000;
const pauses = [300, 1_000];
const longestDetail = 300;

type Body = Record<string, unknown>;

const problems: Record<number, AirflowProblem> = {
  401: "denied",
  403: "denied",
  404: "unknown",
  409: "exists",
};

export class AirflowClient {
  private readonly api: NonNullable<AirflowSettings["api"]>;
  private token: string | null = null;

  constructor(api: NonNullable<AirflowSettings["api"]>) {
    this.api = api;
  }

  /** Whether Airflow has read a DAG's file, and the file is still there. */
  async hasDag(dagId: string): Promise<boolean> {
    const dag = await orNull(this.call("GET", dagPath(dagId)));
    return dag !== null && dag.is_stale !== true;
  }

  /** Why Airflow could not read a file, in its last line; null when it could, or has not tried. */
  async importError(file: string): Promise<string | null> {
    const { import_errors: errors } = await this.call("GET", "/importErrors?limit=100&order_by=-timestamp");
    const found = (errors as Body[] | undefined)?.find(({ filename }) => String(filename).endsWith(file));
    return found === undefined ? null : (String(found.stack_trace).trim().split("\n").at(-1) ?? "");
  }

  /** Lets a DAG run. */
  async unpause(dagId: string): Promise<void> {
    await this.call("PATCH", dagPath(dagId), { is_paused: false });
  }

  /** Asks for a run by its name; one of this name that is there already is the same. Fails with `unknown` when Airflow has not the DAG. */
  async trigger(dagId: string, dagRunId: string): Promise<void> {
    try {
      await this.call("POST", `${dagPath(dagId)}/dagRuns`, {
        dag_run_id: dagRunId,
        logical_date: null,
        conf: {},
      });
    } catch (error) {
      if (!(error instanceof AirflowError && error.problem === "exists")) throw error;
    }
  }

  /** How a run is; null when there is none of that name. */
  async stateOf(dagId: string, dagRunId: string): Promise<DagRunState | null> {
    const run = await orNull(this.call("GET", dagRunPath(dagId, dagRunId)));
    return run === null ? null : (run.state as DagRunState);
  }

  /** Ends a run, which stops its tasks: to Airflow that is a failure. One that is not there has ended. */
  async end(dagId: string, dagRunId: string): Promise<void> {
    await orNull(this.call("PATCH", dagRunPath(dagId, dagRunId), { state: "failed" }));
  }

  /** One call of the API, tried again for a while as long as nobody answers. */
  private async call(method: string, path: string, body?: Body): Promise<Body> {
    const signal = AbortSignal.timeout(callMilliseconds);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.authorized(method, path, body, signal);
      } catch (error) {
        const pause = pauses[attempt];
        const isAway = error instanceof AirflowError && error.problem === "away";
        if (!isAway || pause === undefined || signal.aborted) throw error;
        await Bun.sleep(pause);
      }
    }
  }

  /** A token that is not good any more is asked for once more. */
  private async authorized(
    method: string,
    path: string,
    body: Body | undefined,
    signal: AbortSignal,
  ): Promise<Body> {
    const isFresh = this.token === null;
    this.token ??= await this.logIn(signal);
    const headers = { Authorization: `Bearer ${this.token}` };
    const response = await this.send(method, `/api/v2${path}`, body, signal, headers);
    if (response.status === 401 && !isFresh) {
      this.token = null;
      return await this.authorized(method, path, body, signal);
    }
    return await answerOf(response);
  }

  private async logIn(signal: AbortSignal): Promise<string> {
    const { user: username, password } = this.api;
    const response = await this.send("POST", "/auth/token", { username, password }, signal);
    if (response.status >= 500) throw new AirflowError("away", `Airflow answered ${response.status}`);
    // What it complains of repeats what was sent.
    if (!response.ok)
      throw new AirflowError("denied", `Airflow does not let AIRFLOW_USER in (${response.status})`);
    const { access_token: token, jwt_token: older } = await bodyOf(response);
    const given = token ?? older;
    if (typeof given !== "string")
      throw new AirflowError("refused", "AIRFLOW_URL does not answer as Airflow 3 does");
    return given;
  }

  private async send(
    method: string,
    path: string,
    body: Body | undefined,
    signal: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    try {
      return await fetch(`${this.api.url}${path}`, {
        method,
        signal,
        // A redirect would take the password along.
        redirect: "error",
        headers: { ...headers, Accept: "application/json", "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const why = signal.aborted ? "it does not answer in time" : reasonOf(error);
      throw new AirflowError("away", `Airflow cannot be reached: ${why}`);
    }
  }
}

const dagPath = (dagId: string): string => `/dags/${encodeURIComponent(dagId)}`;
const dagRunPath = (dagId: string, dagRunId: string): string =>
  `${dagPath(dagId)}/dagRuns/${encodeURIComponent(dagRunId)}`;

/** Its JSON object; an empty one when it has none. */
async function bodyOf(response: Response): Promise<Body> {
  const value: unknown = await response.json().catch(() => null);
  return typeof value === "object" && value !== null ? (value as Body) : {};
}

async function answerOf(response: Response): Promise<Body> {
  const { status } = response;
  const body = await bodyOf(response);
  if (response.ok) return body;
  const problem = status >= 500 ? "away" : (problems[status] ?? "refused");
  throw new AirflowError(problem, `Airflow answered ${status}${detailOf(body.detail)}`);
}

/** Its reason, when it is one sentence. */
const detailOf = (detail: unknown): string =>
  typeof detail === "string" ? `: ${detail.slice(0, longestDetail)}` : "";

async function orNull(call: Promise<Body>): Promise<Body | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AirflowError && error.problem === "unknown") return null;
    throw error;
  }
}
