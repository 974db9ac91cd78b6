/** A fake of Airflow 3: the part of its REST API that Quintet uses, over a directory of DAG files whose tasks it really starts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadDag, renderCommand } from "./dag-stubs.ts";
import { temporaryDirectory } from "./server.ts";

interface DagRun {
  dagId: string;
  id: string;
  state: "queued" | "running" | "success" | "failed";
  conf: object;
  output: string;
  task: Bun.Subprocess<"ignore", "pipe", "pipe"> | null;
}

export interface FakeAirflow {
  url: string;
  dags: string;
  /** What AIRFLOW_… of a server are. */
  settings: Record<string, string>;
  /** The environment of its tasks. */
  environment: Record<string, string>;
  runs: Map<string, DagRun>;
  /** `METHOD path` of all calls. */
  calls: string[];
  /** Whether tasks are started by themselves; else runs stay queued. */
  isStarting: boolean;
  /** Answered instead, when it is set. */
  instead: ((request: Request) => Promise<Response> | Response | null) | null;
  /** Starts a task of a run, as its first or a later try. */
  begin(run: DagRun, tryNumber?: number): void;
  /** Has its tokens be good no more. */
  forgetTokens(): void;
  stop(): Promise<void>;
}

const credentials = { username: "airflow", password: "a password of Airflow" };

export function startAirflow(): FakeAirflow {
  const dags = temporaryDirectory("dags");
  let token = crypto.randomUUID();
  const paused = new Set<string>();

  function begin(run: DagRun, tryNumber = 1): void {
    const [task] = loadDag(join(dags, `${run.dagId}.py`), 3).tasks;
    const command = renderCommand(task?.bash_command ?? "", { id: run.id, conf: run.conf, tryNumber });
    run.state = "running";
    run.task = Bun.spawn(["bash", "-c", command], {
      cwd: temporaryDirectory("task"),
      env: { PATH: process.env.PATH ?? "", ...fake.environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { stdout, stderr, exited } = run.task;
    void Promise.all([new Response(stdout).text(), new Response(stderr).text(), exited]).then(
      ([out, err, status]) => {
        run.output += out + err;
        if (run.state === "running") run.state = status === 0 ? "success" : "failed";
      },
    );
  }

  async function answer(request: Request, path: string[]): Promise<Response> {
    const [kind, dagId = "", sub, runId = ""] = path;
    if (kind === "importErrors") return Response.json({ import_errors: [], total_entries: 0 });
    if (kind !== "dags" || !existsSync(join(dags, `${dagId}.py`)))
      return Response.json({ detail: `The DAG with ID: \`${dagId}\` was not found` }, { status: 404 });
    if (request.method === "PATCH" && !sub) {
      const { is_paused } = (await request.json()) as { is_paused: boolean };
      if (is_paused) paused.add(dagId);
      else paused.delete(dagId);
    }
    if (!sub) return Response.json({ dag_id: dagId, is_paused: paused.has(dagId), is_stale: false });
    if (request.method === "POST") return await trigger(request, dagId);
    const run = fake.runs.get(runId);
    if (!run) return Response.json({ detail: `The DagRun \`${runId}\` was not found` }, { status: 404 });
    if (request.method === "PATCH") {
      run.state = ((await request.json()) as { state: "failed" }).state;
      run.task?.kill("SIGTERM");
    }
    return Response.json({ dag_id: dagId, dag_run_id: runId, state: run.state });
  }

  async function trigger(request: Request, dagId: string): Promise<Response> {
    const body = (await request.json()) as { dag_run_id: string; logical_date: null; conf: object };
    const extra = Object.keys(body).filter((name) => !["dag_run_id", "logical_date", "conf"].includes(name));
    if (extra.length > 0 || body.logical_date !== null)
      return Response.json(
        { detail: [{ msg: "Extra inputs are not permitted", input: body }] },
        { status: 422 },
      );
    const id = body.dag_run_id;
    if (fake.runs.has(id)) return Response.json({ detail: "DagRun already exists" }, { status: 409 });
    const run: DagRun = { dagId, id, state: "queued", conf: body.conf, output: "", task: null };
    fake.runs.set(id, run);
    if (fake.isStarting) begin(run);
    return Response.json({ dag_id: dagId, dag_run_id: id, state: "queued" });
  }

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      fake.calls.push(`${request.method} ${pathname}`);
      const given = fake.instead?.(request);
      if (given) return await given;
      if (pathname === "/auth/token") {
        const isRight = Bun.deepEquals(await request.json(), credentials);
        return isRight
          ? Response.json({ access_token: token }, { status: 201 })
          : Response.json({ detail: "Invalid credentials" }, { status: 401 });
      }
      if (request.headers.get("authorization") !== `Bearer ${token}`)
        return Response.json({ detail: "Not authenticated" }, { status: 401 });
      return await answer(request, pathname.replace("/api/v2/", "").split("/").map(decodeURIComponent));
    },
  });

  const fake: FakeAirflow = {
    url: server.url.origin,
    dags,
    settings: {
      AIRFLOW_DAGS_DIR: dags,
      AIRFLOW_URL: `${server.url.origin}/`,
      AIRFLOW_USER: credentials.username,
      AIRFLOW_PASSWORD: credentials.password,
    },
    environment: {},
    runs: new Map(),
    calls: [],
    isStarting: true,
    instead: null,
    begin,
    forgetTokens: () => {
      token = crypto.randomUUID();
    },
    async stop() {
      for (const { task } of fake.runs.values()) task?.kill("SIGKILL");
      await server.stop(true);
    },
  };
  return fake;
}
