/**
 * A pipeline's DAG file, for Airflow 2.7 and newer, 3 among them. The same pipeline gives the same bytes: Airflow keeps a version of whatever differs. There are no
 * secrets in it: how the task reaches a server or a database stands in the environment of Airflow's workers.
 */
import { idOf } from "../../ids.ts";
import { pythonText, shellWord } from "./literals.ts";
import { dagIdOf } from "./names.ts";

export interface DagSource {
  pipelineId: number;
  version: number;
  name: string;
  description: string;
  /** Null: it runs when it is asked to. */
  schedule: { expression: string; zone: string } | null;
  /** Airflow makes up for nothing before. */
  since: Date;
}

/**
 * What the task does. Airflow's run names ours, so that a task that Airflow begins twice runs once; after somebody cleared it there, it is another try, and another run.
 * What is in single quotes stays there: names of runs lose theirs, and `tojson` writes a quote as `\u0027`.
 */
const runId = `'{{ run_id | replace("'", "") }}{% if ti.try_number > 1 %}__try_{{ ti.try_number }}{% endif %}'`;
const parameters = "'{{ (dag_run.conf or {}) | tojson }}'";

const commandOf = (program: readonly string[], { pipelineId, version }: DagSource): string =>
  [
    "exec",
    ...program.map(shellWord),
    `pipelines run ${pipelineId} --version ${version} --run-id ${runId} --parameters ${parameters}`,
  ].join(" ");

function scheduleOf({ schedule }: DagSource): string {
  if (schedule === null) return "None";
  return `CronTriggerTimetable(${pythonText(schedule.expression)}, timezone=${pythonText(schedule.zone)})`;
}

/** As Python says it, in whole seconds. */
function timeOf(date: Date): string {
  const parts = date.toISOString().split(/\D/).slice(0, 6).map(Number);
  return `datetime(${parts.join(", ")}, tzinfo=timezone.utc)`;
}

/** The file's text. `program` are the words that start this program. */
export function renderDag(source: DagSource, program: readonly string[]): string {
  // Not in `doc_md`: before 2.9.3 Airflow ran that as a template (CVE-2024-39877), and takes it for a file's name where it ends in ".md".
  const description = [source.name, source.description].filter((text) => text !== "").join("\n\n");
  return `"""Written by Quintet, and written anew whenever it differs."""
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator
from airflow.timetables.trigger import CronTriggerTimetable

with DAG(
    dag_id=${pythonText(dagIdOf(source.pipelineId, source.version))},
    description=${pythonText(description)},
    schedule=${scheduleOf(source)},
    start_date=${timeOf(source.since)},
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "quintet", "retries": 0},
    tags=["quintet", ${pythonText(idOf("pipeline", source.pipelineId))}],
):
    BashOperator(
        task_id="run",
        bash_command=${pythonText(commandOf(program, source))},
        do_xcom_push=False,
    )
`;
}
