/**
 * Tries Quintet with a real Airflow: installs one from PyPI into a virtual environment, starts both, deploys, runs, cancels, and prints what it saw. Not one of the tests:
 * it takes some minutes and some hundred megabytes. Exit status 1 when something was not as it should be.
 *
 * Usage: bun scripts/try-airflow.ts [--airflow 3.0.6] [--as-of 2025-09-15] [--directory /tmp/quintet-airflow]
 *   --as-of   its dependencies are taken as they were that day, which is what Airflow's own constraint files are for
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";

const { values } = parseArgs({
  options: {
    airflow: { type: "string", default: "3.0.6" },
    "as-of": { type: "string", default: "2025-09-15" },
    directory: { type: "string", default: "/tmp/quintet-airflow" },
  },
});
const { directory } = values;
const bin = join(directory, "venv/bin");
const main = join(import.meta.dir, "../src/main.ts");
const [home, dags, files, data] = ["home", "dags", "files", "data"].map((name) => join(directory, name)) as [
  string,
  string,
  string,
  string,
];
const user = { username: "admin", password: "try-airflow-1" };
let bad = 0;

function check(what: string, isGood: boolean, seen: unknown): void {
  if (!isGood) bad++;
  console.log(`${isGood ? "ok " : "BAD"} ${what}: ${JSON.stringify(seen)}`);
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const holder = createServer().listen(0, "127.0.0.1", () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });

/** Asks until the answer is something; throws after so many seconds. */
async function until<T>(what: string, seconds: number, ask: () => Promise<T | null>): Promise<T> {
  for (const start = Date.now(); Date.now() - start < seconds * 1000; await Bun.sleep(500)) {
    const found = await ask().catch(() => null);
    if (found !== null) return found;
  }
  throw new Error(`${what}: not within ${seconds} seconds`);
}

async function install(): Promise<void> {
  if (existsSync(join(bin, "airflow"))) return;
  mkdirSync(directory, { recursive: true });
  await $`python3 -m venv ${join(directory, "venv")}`;
  await $`${join(bin, "pip")} install -q uv`;
  await $`${join(bin, "uv")} pip install -q --python ${join(bin, "python")} apache-airflow==${values.airflow} --exclude-newer ${values["as-of"]}`;
}

const log = (name: string) => Bun.file(join(directory, `${name}.log`));

/** Airflow with everything, in a process group of its own. */
function startAirflow(port: number, quintet: string) {
  return Bun.spawn(["setsid", join(bin, "airflow"), "standalone"], {
    stdout: log("airflow"),
    stderr: log("airflow"),
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: directory,
      AIRFLOW_HOME: home,
      AIRFLOW__CORE__DAGS_FOLDER: dags,
      AIRFLOW__CORE__LOAD_EXAMPLES: "False",
      AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `http://127.0.0.1:${port}/execution/`,
      AIRFLOW__CORE__PARALLELISM: "2",
      AIRFLOW__API__HOST: "127.0.0.1",
      AIRFLOW__API__PORT: String(port),
      AIRFLOW__API__WORKERS: "1",
      AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL: "5",
      QUINTET_URL: quintet,
      QUINTET_USER: user.username,
      QUINTET_PASSWORD: user.password,
    },
  });
}

function startQuintet(port: number, airflow: string, password: string) {
  return Bun.spawn([process.execPath, main, "serve", "--data", data], {
    stdout: log("quintet"),
    stderr: log("quintet"),
    env: {
      PATH: process.env.PATH ?? "",
      HOST: "127.0.0.1",
      PORT: String(port),
      RATE_LIMITS: "off",
      ADMIN_USER: user.username,
      ADMIN_PASS: user.password,
      PIPELINES_FILE_ROOTS: files,
      AIRFLOW_DAGS_DIR: dags,
      AIRFLOW_URL: airflow,
      AIRFLOW_USER: "admin",
      AIRFLOW_PASSWORD: password,
    },
  });
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes.
type Body = any;

async function send(url: string, method: string, token: string | null, body?: object): Promise<Body> {
  const response = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return await response.json();
}

async function tryAll(quintet: string, airflow: string, password: string): Promise<void> {
  const api = `${quintet}/api/v1`;
  const { access_token: token } = await send(`${api}/auth/login`, "POST", null, user);
  const airflowToken = (await send(`${airflow}/auth/token`, "POST", null, { username: "admin", password }))
    .access_token;
  const dagRun = (dag: string, run: string) =>
    send(`${airflow}/api/v2/dags/${dag}/dagRuns/${run}`, "GET", airflowToken);
  const make = async (name: string, more: object = {}) =>
    (
      await send(`${api}/pipelines`, "POST", token, {
        name,
        sources: [{ type: "csv", config: { path: "in.csv" } }],
        targets: [{ type: "csv", config: { path: `${name.length}.csv` } }],
        config: { mode: "replace", retries: 0 },
        ...more,
      })
    ).id;
  const deploy = (id: string) => send(`${api}/pipelines/${id}/deploy`, "POST", token);
  const start = (id: string) => send(`${api}/pipelines/${id}/run`, "POST", token, {});
  const look = (id: string, run: string) => send(`${api}/pipelines/${id}/runs/${run}`, "GET", token);
  const ended = (id: string, run: string) =>
    until(`the end of ${run}`, 180, async () => {
      const found = await look(id, run);
      return ["success", "failed", "cancelled"].includes(found.status) ? found : null;
    });
  const endedThere = (dag: string, run: string) =>
    until(`the end of ${run} in Airflow`, 120, async () => {
      const found = await dagRun(dag, run);
      return ["success", "failed"].includes(found.state) ? found.state : null;
    });

  const plain = await make(`a name with ' " \\ {{ ''' ё`, { schedule: "* * * * *" });
  const deployed = await deploy(plain);
  check("deploy", deployed.airflow?.status === "active", deployed);
  check("the DAG file", readdirSync(dags).includes(`${deployed.airflow_dag_id}.py`), readdirSync(dags));
  const run = await start(plain);
  check("run", run.airflow_run_id === `quintet__${run.run_id}`, run);
  const done = await ended(plain, run.run_id);
  check("its end here", done.status === "success", done);
  const there = await endedThere(deployed.airflow_dag_id, run.airflow_run_id);
  check("its end there", there === "success", there);
  const scheduled = await until("a scheduled run", 150, async () => {
    const { items } = await send(`${api}/pipelines/${plain}/runs?status=success`, "GET", token);
    return items.find(({ cause }: Body) => cause === "command") ?? null;
  });
  check("Airflow's schedule runs it", scheduled.status === "success", scheduled);
  const scheduledOnes = (await send(`${api}/pipelines/${plain}/runs`, "GET", token)).items;
  check(
    "and ours does not",
    scheduledOnes.every(({ cause }: Body) => cause !== "schedule"),
    scheduledOnes.length,
  );
  await send(`${api}/pipelines/${plain}`, "DELETE", token).catch(() => {});
  check(
    "a deleted pipeline's DAG file is gone",
    readdirSync(dags).every((name) => !name.endsWith(".py")),
    readdirSync(dags),
  );

  const slow = await make("slow", {
    transformations: [
      { type: "sql", code: "select * from input" },
      { type: "sql", code: "select max(a.range * b.range) as m from range(10000000) a, range(100000000) b" },
    ],
  });
  const slowly = await deploy(slow);
  check("deploy of another", slowly.airflow?.status === "active", slowly);
  const cancelled = await start(slow);
  await until("the run goes on", 120, async () =>
    (await look(slow, cancelled.run_id)).status === "running" ? true : null,
  );
  await send(`${api}/pipelines/${slow}/runs/${cancelled.run_id}/cancel`, "POST", token);
  const end = await ended(slow, cancelled.run_id);
  check("cancelled here", end.status === "cancelled", end.status);
  const endThere = await endedThere(slowly.airflow_dag_id, cancelled.airflow_run_id);
  check("and there", endThere === "failed", endThere);

  const failing = await start(slow);
  await until("the run goes on", 120, async () =>
    (await look(slow, failing.run_id)).status === "running" ? true : null,
  );
  const path = `${airflow}/api/v2/dags/${slowly.airflow_dag_id}/dagRuns/${failing.airflow_run_id}`;
  await send(path, "PATCH", airflowToken, { state: "failed" });
  const failed = await ended(slow, failing.run_id);
  check("marked as failed in Airflow, it is cancelled here", failed.status === "cancelled", failed.status);
}

await install();
for (const name of [home, dags, files, data]) rmSync(name, { recursive: true, force: true });
for (const name of [home, dags, files]) mkdirSync(name, { recursive: true });
writeFileSync(join(files, "in.csv"), "id,name\n1,one\n2,two\n");
const [airflowPort, quintetPort] = [await freePort(), await freePort()];
const [airflowUrl, quintetUrl] = [`http://127.0.0.1:${airflowPort}`, `http://127.0.0.1:${quintetPort}`];
const airflow = startAirflow(airflowPort, quintetUrl);
let quintet: ReturnType<typeof startQuintet> | null = null;
try {
  const secrets = join(home, "simple_auth_manager_passwords.json.generated");
  await until("Airflow", 180, async () => ((await fetch(`${airflowUrl}/api/v2/version`)).ok ? true : null));
  console.log(await (await fetch(`${airflowUrl}/api/v2/version`)).text());
  const { admin } = JSON.parse(readFileSync(secrets, "utf8")) as { admin: string };
  quintet = startQuintet(quintetPort, airflowUrl, admin);
  await until("Quintet", 60, async () => ((await fetch(`${quintetUrl}/health`)).ok ? true : null));
  await tryAll(quintetUrl, airflowUrl, admin);
} catch (error) {
  bad++;
  console.log(`BAD ${error instanceof Error ? error.message : error}`);
} finally {
  quintet?.kill("SIGTERM");
  await quintet?.exited;
  process.kill(-airflow.pid, "SIGTERM");
  await Promise.race([airflow.exited, Bun.sleep(10_000)]);
  console.log(bad === 0 ? "everything was as it should be" : `${bad} bad; see ${directory}/*.log`);
  process.exit(bad === 0 ? 0 : 1);
}
