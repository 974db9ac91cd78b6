/** What Airflow makes of a DAG file that was written for it. */
import type { AirflowClient } from "./client.ts";

/** `written`: it is there for Airflow to find; `active`: Airflow has it; `pending`: not yet; `refused`: it cannot read it; `failed`: it could not be written. */
export interface Deployed {
  status: "written" | "active" | "pending" | "refused" | "failed";
  message: string | null;
}

/** Within what a client waits for an answer. */
const waitMilliseconds = 45_000;
const lookMilliseconds = 1_000;

/** Waits until Airflow has read a DAG's file, and lets it run. After a while it is no longer waited for: a new DAG is not paused, and runs once it is read. */
export async function whenRead(client: AirflowClient, dagId: string): Promise<Deployed> {
  const until = performance.now() + waitMilliseconds;
  while (performance.now() < until) {
    if (await client.hasDag(dagId)) {
      await client.unpause(dagId);
      return { status: "active", message: null };
    }
    const error = await client.importError(`${dagId}.py`);
    if (error !== null) return { status: "refused", message: `Airflow cannot read the DAG file: ${error}` };
    await Bun.sleep(lookMilliseconds);
  }
  return {
    status: "pending",
    message: "Airflow has not read the DAG file yet ([dag_processor] refresh_interval)",
  };
}
