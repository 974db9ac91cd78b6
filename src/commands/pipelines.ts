/** `quintet pipelines`: run and list pipelines, by a server or by its database. Airflow's tasks call it. */
import { type Command, Option } from "commander";
import { readConfig } from "../config.ts";
import { reasonOf, StartupError } from "../platform/telemetry/startup-error.ts";
import { follow } from "../services/pipelines/command/follow.ts";
import type { Credential } from "../services/pipelines/command/http-client.ts";
import { LocalOffice } from "../services/pipelines/command/local-office.ts";
import type { Errand, Office, RunView } from "../services/pipelines/command/office.ts";
import { RemoteOffice } from "../services/pipelines/command/remote-office.ts";
import { record } from "../services/pipelines/definition.ts";
import { numberOf } from "../services/pipelines/ids.ts";

interface OfficeFlags {
  url?: string;
  token?: string;
  user?: string;
  password?: string;
}

interface RunFlags extends OfficeFlags {
  version?: string;
  runId?: string;
  parameters: string;
}

const exit = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;
const longestRunId = 200;

/** Adds the commands. */
export function addPipelines(program: Command): void {
  const pipelines = program
    .command("pipelines")
    .description("run and list pipelines, by a server (QUINTET_URL) or by its database (DATABASE_URL)");
  withOffice(
    pipelines
      .command("run")
      .description("run a pipeline and follow it to its end; the exit status is 0 when it succeeded")
      .argument("<id>", "pipeline_12, or 12")
      .option("--version <number>", "version to run; the deployed one when it is not given")
      .option(
        "--run-id <text>",
        "name of the run: under the same name there is one, however often it is asked for",
      )
      .option("--parameters <json>", "the run's parameters, as a JSON object", "{}"),
  ).action(run);
  withOffice(pipelines.command("list").description("list pipelines")).action(list);
}

const withOffice = (command: Command): Command =>
  command
    .addOption(new Option("--url <url>", "the server").env("QUINTET_URL"))
    .addOption(new Option("--token <token>", "a token of it, good for an hour").env("QUINTET_TOKEN"))
    .addOption(new Option("--user <name>", "who logs in there").env("QUINTET_USER"))
    .addOption(new Option("--password <text>", "and the password").env("QUINTET_PASSWORD"));

async function run(id: string, flags: RunFlags): Promise<void> {
  await told(async (leave) => {
    const errand = errandOf(id, flags);
    const office = await officeOf(flags, leave);
    try {
      const asked = await office.request(errand);
      console.error(`quintet: ${asked.id} of pipeline_${errand.pipelineId}`);
      const print = ({ at, level, message }: { at: string; level: string; message: string }) =>
        console.log(`${at} ${level} ${message}`);
      return statusOf(asked.id, await follow(asked, { leave, print }), leave.aborted);
    } finally {
      await office.close();
    }
  });
}

async function list(flags: OfficeFlags): Promise<void> {
  await told(async (leave) => {
    const office = await officeOf(flags, leave);
    try {
      for (const { id, status, version, schedule, name } of await office.list())
        console.log([id, status, `v${version}`, schedule ?? "-", name.replace(/\p{Cc}/gu, " ")].join("\t"));
      return exit.success;
    } finally {
      await office.close();
    }
  });
}

/** Does it and ends the process: what goes wrong is one line. The first SIGINT or SIGTERM is told to it, the second ends the process at once. */
async function told(task: (leave: AbortSignal) => Promise<number>): Promise<void> {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(exit.interrupted);
      controller.abort();
    });
  try {
    process.exit(await task(controller.signal));
  } catch (error) {
    console.error(`quintet: ${reasonOf(error)}`);
    if (controller.signal.aborted) process.exit(exit.interrupted);
    process.exit(error instanceof StartupError ? exit.usage : exit.failure);
  }
}

function statusOf(id: string, { status, error }: RunView, isLeaving: boolean): number {
  if (status === "success") return exit.success;
  const what =
    status === "cancelled" ? "was cancelled" : status === "failed" ? `failed: ${error}` : "goes on";
  console.error(`quintet: ${isLeaving ? "interrupted: " : ""}${id} ${what}`);
  return isLeaving ? exit.interrupted : exit.failure;
}

async function officeOf(flags: OfficeFlags, leave: AbortSignal): Promise<Office> {
  if (flags.url !== undefined) return new RemoteOffice(requireUrl(flags.url), credentialOf(flags), leave);
  const config = readConfig();
  if (config.databaseUrl === null)
    throw new StartupError(
      "QUINTET_URL with QUINTET_TOKEN, or DATABASE_URL, is needed to reach the pipelines",
    );
  return await LocalOffice.open(config, config.databaseUrl, leave);
}

function requireUrl(url: string): string {
  const protocol = URL.parse(url)?.protocol;
  if (protocol !== "http:" && protocol !== "https:")
    throw new StartupError("QUINTET_URL: not an http(s) address");
  return url;
}

/** A user wins: a token ends within the hour. */
function credentialOf({ token, user, password }: OfficeFlags): Credential {
  if (user !== undefined && password !== undefined) return { user, password };
  if (token !== undefined) return { token };
  throw new StartupError("QUINTET_TOKEN, or QUINTET_USER and QUINTET_PASSWORD, are needed with QUINTET_URL");
}

function errandOf(id: string, { version, runId, parameters }: RunFlags): Errand {
  const pipelineId = numberOf("pipeline", id);
  if (pipelineId === null) throw new StartupError(`${JSON.stringify(id)} is not the id of a pipeline`);
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version))
    throw new StartupError("--version: not a number");
  if (runId !== undefined && (!/^[\x21-\x7e]+$/.test(runId) || runId.length > longestRunId))
    throw new StartupError(`--run-id: up to ${longestRunId} ASCII characters without spaces are expected`);
  return {
    pipelineId,
    version: version === undefined ? null : Number(version),
    runId: runId ?? `command__${crypto.randomUUID()}`,
    parameters: parametersOf(parameters),
  };
}

function parametersOf(text: string): Record<string, unknown> {
  const { success, data } = record.safeParse(jsonOf(text));
  if (!success) throw new StartupError("--parameters: a JSON object is expected");
  return data;
}

/** Null when it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
