/**
 * One run, from its source to its target: extract → transform → load → check → publish. Rows stream through; what the target shows changes in the last step alone, which may
 * be repeated after a crash without doing anything twice.
 */
import { mkdirSync, rmSync } from "node:fs";
import type { Sql } from "postgres";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import type { Connector, Staged } from "../connect/connector.ts";
import { ConnectorError } from "../connect/connector.ts";
import { dialectOf } from "../connect/registry.ts";
import type { RowStream } from "../connect/types.ts";
import type { Connectors } from "../connectors.ts";
import type { Definition } from "../definition.ts";
import type { RunMetrics } from "../tables.ts";
import { workDirectory } from "../work-directory.ts";
import { runChecks } from "./checks.ts";
import { counted, type Passed } from "./counted.ts";
import { type PlannedSource, planSources } from "./source.ts";
import { spooled } from "./spool.ts";
import { transformed } from "./transform.ts";
import { keepPlanned, keepWatermarks, type Watermark } from "./watermarks.ts";

export interface RunContext {
  runId: number;
  createdAt: Date;
  pipelineId: number;
  definition: Definition;
  parameters: Record<string, unknown>;
  sql: Sql;
  connectors: Connectors;
  dataDirectory: string;
  signal: AbortSignal;
  /** A line of the run's log; it holds no secrets. */
  log(message: string): void;
  /** Where it is. */
  progress(phase: string, rows: number): void;
}

/** Some of it is published: only the same run may go on with the rest, whoever wants it to end. */
export class PublishedInPart extends Error {
  override readonly name = "PublishedInPart";

  constructor(cause: unknown) {
    super(`published in part, to be gone on with: ${reasonOf(cause)}`, { cause });
  }
}

const emptyPass = (): Passed => ({ rows: 0, bytes: 0, waited: 0 });

/** What was opened for a run, closed again whatever happens. */
class Opened {
  private readonly closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close().catch(() => {});
  }
}

/** Runs it; answers what was moved and how long that took. Throws what went wrong, with the target as it was. */
export async function execute(context: RunContext): Promise<{ metrics: RunMetrics; rows: number }> {
  const directory = workDirectory(context.dataDirectory, `runs/${context.runId}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const opened = new Opened();
  try {
    return await move(context, directory, opened);
  } finally {
    await opened.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function move(context: RunContext, directory: string, opened: Opened) {
  const { log, progress } = context;
  const start = performance.now();
  progress("extract", 0);
  const sources = await planSources(context, opened);
  const { rows, read, made } = await prepared(context, sources, directory);
  const watermarks = sources.flatMap((source) => source.watermarks);
  const staged: StagedTarget[] = [];
  let loaded = start;
  try {
    for await (const target of stageAll(context, rows, directory, opened)) staged.push(target);
    loaded = performance.now();
    log(`${read.rows} rows read, ${made.rows} rows staged`);
    await keepPlanned(context.sql, context.runId, watermarks);
    await checked(context, staged, made.rows);
  } catch (error) {
    await discarded(staged);
    throw error;
  }
  await published(context, staged, watermarks);
  const end = performance.now();
  log(
    `published after ${Math.round(end - start)} ms, ${Math.round(end - loaded)} ms of them for checks and publishing`,
  );
  return { metrics: metricsOf(read, made, end - start), rows: made.rows };
}

interface Prepared {
  /** What is to be staged. */
  rows: RowStream;
  /** What the sources gave. */
  read: Passed;
  /** What is left of it after the transformations; the same where there are none. */
  made: Passed;
}

/** The sources' rows, transformed and counted on their way. */
async function prepared(
  context: RunContext,
  sources: readonly PlannedSource[],
  directory: string,
): Promise<Prepared> {
  const { definition, progress } = context;
  const transformations = definition.transformations.slice(sources[0]?.done);
  const isTransformed = transformations.length > 0;
  const read = emptyPass();
  const inputs = sources.map(({ name, rows }) => ({
    name,
    rows: counted(rows, read, () => progress(isTransformed ? "extract" : "load", read.rows)),
  }));
  const asked = performance.now();
  const rows = await transformed(inputs, transformations, { ...context, directory });
  if (!isTransformed) return { rows, read, made: read };
  // Some do all their work before they answer.
  const made = { ...emptyPass(), waited: performance.now() - asked };
  return { rows: counted(rows, made, () => progress("transform", made.rows)), read, made };
}

async function checked(
  { definition, signal, log, progress }: RunContext,
  staged: readonly StagedTarget[],
  rows: number,
): Promise<void> {
  progress("check", rows);
  for (const { target, type } of staged)
    await runChecks(target, definition.config.checks, dialectOf(type), log);
  signal.throwIfAborted();
  progress("publish", rows);
}

/** Publishes everywhere and keeps how far the run came. Throws PublishedInPart once there is something that must not be published by another run again. */
async function published(
  context: RunContext,
  staged: readonly StagedTarget[],
  watermarks: readonly Watermark[],
): Promise<void> {
  let done = 0;
  try {
    for (const { target } of staged) {
      await target.publish();
      done++;
    }
    await context.sql.begin((tx) => keepWatermarks(tx, context.pipelineId, context.runId, watermarks));
  } catch (error) {
    await discarded(staged.slice(done));
    throw done > 0 ? new PublishedInPart(error) : error;
  }
}

async function discarded(staged: readonly StagedTarget[]): Promise<void> {
  for (const { target } of staged) await target.discard().catch(() => {});
}

/** `total` in milliseconds. */
const metricsOf = (read: Passed, made: Passed, total: number): RunMetrics => ({
  extraction_time_ms: Math.round(read.waited),
  transformation_time_ms: Math.max(0, Math.round(made.waited - read.waited)),
  loading_time_ms: Math.max(0, Math.round(total - made.waited)),
  rows_extracted: read.rows,
  rows_loaded: made.rows,
});

interface StagedTarget {
  target: Staged;
  type: string;
}

/** Stages the rows at every target, one after the other; several are given the same rows from a file. */
async function* stageAll(
  context: RunContext,
  rows: RowStream,
  directory: string,
  opened: Opened,
): AsyncGenerator<StagedTarget> {
  const { definition, connectors, signal } = context;
  const { mode, key, on_schema_change: onSchemaChange } = definition.config;
  const again = definition.targets.length > 1 ? await spooled(rows, directory) : () => rows;
  for (const [index, endpoint] of definition.targets.entries()) {
    const { connector, config, type } = await connectors.open(endpoint);
    opened.add(() => connector.close());
    const request = { table: tableOf(config), mode, key, onSchemaChange };
    const target = await stagerOf(connector, type)(request, again(), nameAt(context, index), signal);
    yield { target, type };
  }
}

/** What a run is called at a target, where it is remembered: also another database of ours, or ours after it was made anew, must never use the name again. */
const nameAt = ({ runId, createdAt }: RunContext, index: number): string =>
  `${runId}_${createdAt.getTime().toString(36)}_${index + 1}`;

function stagerOf(connector: Connector, type: string): NonNullable<Connector["stage"]> {
  if (!connector.stage) throw new ConnectorError("unsupported", `${type} cannot be written to`);
  return connector.stage.bind(connector);
}

function tableOf(config: Record<string, unknown>): string {
  const { table, path, file } = config;
  const name = table ?? path ?? file;
  if (typeof name !== "string" || name === "")
    throw new ConnectorError("schema", "the target names no table (config.table)");
  return name;
}
