/** What a DAG file says, by stand-ins of Airflow's modules that keep what they are given. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryDirectory } from "./server.ts";

export const python = "/usr/bin/python3";

export interface LoadedDag {
  dag: Record<string, unknown> & { dag_id: string; schedule: { cron: string; timezone: string } | null };
  tasks: (Record<string, unknown> & { task_id: string; bash_command: string })[];
}

const classes = `
loaded = {"dag": None, "tasks": []}
class DAG:
    def __init__(self, **arguments):
        loaded["dag"] = arguments
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return False
class BashOperator:
    def __init__(self, **arguments):
        loaded["tasks"].append(arguments)
`;
const timetable = `
class CronTriggerTimetable(dict):
    def __init__(self, cron, *, timezone):
        super().__init__(cron=cron, timezone=timezone)
`;
const loader = `
import json, runpy, sys
import kept
runpy.run_path(sys.argv[1])
print(json.dumps(kept.loaded, default=str))
`;

/** Where each Airflow has its classes. */
const layouts = {
  2: {
    "airflow/__init__.py": "from kept import DAG",
    "airflow/operators/__init__.py": "",
    "airflow/operators/bash.py": "from kept import BashOperator",
  },
  3: {
    "airflow/__init__.py": "",
    "airflow/sdk.py": "from kept import DAG",
    "airflow/providers/__init__.py": "",
    "airflow/providers/standard/__init__.py": "",
    "airflow/providers/standard/operators/__init__.py": "",
    "airflow/providers/standard/operators/bash.py": "from kept import BashOperator",
  },
} as const;

const made = new Map<2 | 3, string>();

function stubs(airflow: 2 | 3): string {
  const known = made.get(airflow);
  if (known) return known;
  const directory = temporaryDirectory("dag-stubs");
  const shared = {
    "kept.py": classes,
    "load.py": loader,
    "airflow/timetables/__init__.py": "",
    "airflow/timetables/trigger.py": timetable,
  };
  for (const [name, text] of Object.entries({ ...shared, ...layouts[airflow] })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  made.set(airflow, directory);
  return directory;
}

/** Runs a DAG file under an Airflow's layout. Throws with Python's complaint. */
export function loadDag(file: string, airflow: 2 | 3): LoadedDag {
  const directory = stubs(airflow);
  const { stdout, stderr, exitCode } = Bun.spawnSync([python, "-B", join(directory, "load.py"), file], {
    env: { PYTHONPATH: directory, PYTHONUTF8: "1" },
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as LoadedDag;
}

/** A task's command as Airflow's templates make it: the expressions that our files use, and no others. */
export function renderCommand(
  command: string,
  run: { id: string; conf?: object; tryNumber?: number },
): string {
  const { id, conf = {}, tryNumber = 1 } = run;
  const json = JSON.stringify(conf).replace(
    /[<>&']/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const values: Record<string, string> = {
    '{{ run_id | replace("\'", "") }}': id.replaceAll("'", ""),
    "{% if ti.try_number > 1 %}__try_{{ ti.try_number }}{% endif %}":
      tryNumber > 1 ? `__try_${tryNumber}` : "",
    "{{ (dag_run.conf or {}) | tojson }}": json,
    "{{ '{' }}": "{",
  };
  return command.replace(
    /\{% if .*?\{% endif %\}|\{\{ '\{' \}\}|\{\{.*?\}\}(?!\})/g,
    (expression) => values[expression] ?? `<unknown: ${expression}>`,
  );
}
