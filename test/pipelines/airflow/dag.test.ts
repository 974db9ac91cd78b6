/** DAG files: Python that compiles whatever a pipeline is called, under Airflow 2 and 3, the same bytes each time, and a command that holds nothing but what was meant. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DagSource, renderDag } from "../../../src/services/pipelines/orchestrate/airflow/dag.ts";
import { needs } from "../../needs.ts";
import { loadDag, python, renderCommand } from "../../support/dag-stubs.ts";
import { temporaryDirectory } from "../../support/server.ts";

const test = needs(python);
const directory = temporaryDirectory("dag");
const plain: DagSource = {
  pipelineId: 12,
  version: 3,
  name: "Daily sales",
  description: "From there to here",
  schedule: { expression: "0 2 * * MON", zone: "Europe/Moscow" },
  since: new Date("2026-11-20T10:00:07.890Z"),
};
const program = ["/opt/quintet"];

function written(source: DagSource, words = program): string {
  const file = join(directory, `${crypto.randomUUID()}.py`);
  writeFileSync(file, renderDag(source, words));
  return file;
}

const hostile = [
  `"); __import__("os").system("touch /tmp/owned"); ("`,
  `'''); raise SystemExit(1) #`,
  '"""',
  "ends in a backslash \\",
  "\\N{BULLET} \\x41 \\u0041 \\",
  "two\nlines\r\nand\ttabs\0and a zero\u0007",
  "{{ ''.__class__.__mro__ }} {% raw %} {# #} $HOME $(id) `id`",
  "Продажи 销售 😀 \u2028 \ufeff \u{e0001}",
  "lone \ud800 surrogate",
  "%s %(name)s {0} {name!r}",
  "/etc/passwd.md",
  "",
];

test("a file says what Airflow is to do, to 2 and to 3", () => {
  for (const airflow of [2, 3] as const) {
    const { dag, tasks } = loadDag(written(plain), airflow);
    expect(dag).toEqual({
      dag_id: "ai_etl_pipeline_12_v3",
      description: "Daily sales\n\nFrom there to here",
      schedule: { cron: "0 2 * * MON", timezone: "Europe/Moscow" },
      start_date: "2026-11-20 10:00:07+00:00",
      catchup: false,
      max_active_runs: 1,
      is_paused_upon_creation: false,
      default_args: { owner: "quintet", retries: 0 },
      tags: ["quintet", "pipeline_12"],
    });
    expect(tasks).toHaveLength(1);
    const [{ bash_command: command = "", ...task } = {}] = tasks;
    expect(task).toEqual({ task_id: "run", do_xcom_push: false });
    expect(renderCommand(command, { id: "scheduled__2026-11-21T02:00:00+00:00" })).toBe(
      "exec '/opt/quintet' pipelines run 12 --version 3 --run-id 'scheduled__2026-11-21T02:00:00+00:00' --parameters '{}'",
    );
  }
  expect(loadDag(written({ ...plain, schedule: null }), 3).dag.schedule).toBeNull();
});

describe("whatever a pipeline is called", () => {
  for (const text of hostile)
    test(JSON.stringify(text), () => {
      const source = {
        ...plain,
        name: text,
        description: text,
        schedule: { expression: text, zone: text },
      };
      const file = written(source);
      const compiled = Bun.spawnSync([python, "-m", "py_compile", file]);
      expect({ status: compiled.exitCode, complaint: compiled.stderr.toString() }).toEqual({
        status: 0,
        complaint: "",
      });
      const kept = text.toWellFormed();
      const { dag, tasks } = loadDag(file, 3);
      expect(dag.schedule).toEqual({ cron: kept, timezone: kept });
      expect(dag.description).toBe(text === "" ? "" : `${kept}\n\n${kept}`);
      expect(dag.doc_md).toBeUndefined();
      expect(tasks[0]?.bash_command).toBe(loadDag(written(plain), 3).tasks[0]!.bash_command);
    });
});

test("the same pipeline gives the same bytes, in ASCII", () => {
  const source = { ...plain, name: "Продажи 😀" };
  expect(renderDag(source, program)).toBe(renderDag(structuredClone(source), [...program]));
  expect(renderDag(source, program)).toMatch(/^[\x20-\x7e\n]+$/);
});

test("the command's words arrive as they are, wherever the program stands and whatever is asked of it", () => {
  const words = ["/usr/bin/env", "printf", "%s\\n", 'it\'s {{ odd }} {% raw %} {# $(id) `id` \\ "x" ё'];
  const [task] = loadDag(written(plain, words), 3).tasks;
  const run = { id: "a'; touch /tmp/owned; '", conf: { a: "it's <&> $(id) \\ ё" }, tryNumber: 2 };
  const { stdout } = Bun.spawnSync(["bash", "-c", renderCommand(task!.bash_command, run)]);
  const lines = stdout.toString().trimEnd().split("\n");
  expect(lines.slice(0, -1)).toEqual([
    words[3]!,
    ...["pipelines", "run", "12", "--version", "3"],
    ...["--run-id", "a; touch /tmp/owned; __try_2", "--parameters"],
  ]);
  expect(JSON.parse(lines.at(-1)!)).toEqual(run.conf);
});
