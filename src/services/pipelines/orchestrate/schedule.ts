/**
 * Schedules, of pipelines and of their triggers. Whatever is due is fired once, however many servers look, because each firing has one run; what was missed while no
 * server ran is made up for once.
 */
import type { Sql } from "postgres";
import { Failure } from "../../../platform/http/failures.ts";
import type { Log } from "../../../platform/telemetry/log.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { nextFiring } from "../cron.ts";
import type { Definition } from "../definition.ts";
import type { Runs } from "../runs.ts";
import type { Trigger } from "../triggers.ts";

const lookMilliseconds = 1_000;
const dueAtOnce = 500;

export interface ScheduleOptions {
  sql: Sql;
  runs: Runs;
  log: Log;
  /** Whether Airflow keeps the schedules that pipelines have themselves; those of triggers are ours all the same. */
  isAirflows: boolean;
  /** Now, in milliseconds. */
  now: () => number;
}

interface Due {
  id: number;
  pipelineId: number;
  cause: string;
  at: Date;
  expression: string;
  zone: string | undefined;
  parameters: Record<string, unknown>;
  table: "pipelines" | "triggers";
}

export class Schedule {
  private readonly options: ScheduleOptions;
  private timer: Timer | null = null;
  private looking: Promise<void> | null = null;
  private isStopped = false;

  constructor(options: ScheduleOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), lookMilliseconds);
    this.look();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.looking;
  }

  private look(): void {
    this.looking ??= this.fireDue()
      .catch((error: unknown) =>
        this.options.log.warn({ reason: reasonOf(error) }, "schedules could not be looked at"),
      )
      .finally(() => {
        this.looking = null;
      });
  }

  /** Fires whatever is due, once. */
  async fireDue(): Promise<void> {
    for (const due of await this.due()) {
      if (this.isStopped) return;
      await this.fire(due).catch((error: unknown) =>
        this.options.log.warn(
          { reason: reasonOf(error), pipeline: due.pipelineId },
          "a schedule could not be fired",
        ),
      );
    }
  }

  private async due(): Promise<Due[]> {
    const { sql, now } = this.options;
    const time = new Date(now());
    const pipelines = await sql`select p.id, p.next_run, v.schedule, v.definition from pipelines.pipelines p
      join pipelines.versions v on v.pipeline_id = p.id and v.version = p.deployed_version
      where p.next_run <= ${time} and p.deleted_at is null and p.status = 'active' order by p.next_run limit ${dueAtOnce}`;
    const triggers = await sql<
      Trigger[]
    >`select t.* from pipelines.triggers t join pipelines.pipelines p on p.id = t.pipeline_id
      where t.next_run <= ${time} and t.deleted_at is null and t.status = 'active' and p.deleted_at is null and p.status <> 'paused'
      order by t.next_run limit ${dueAtOnce}`;
    return [
      ...pipelines.map(
        (row): Due => ({
          id: Number(row.id),
          pipelineId: Number(row.id),
          cause: "schedule",
          at: row.next_run as Date,
          expression: String(row.schedule),
          zone: (row.definition as Definition).config.timezone,
          parameters: {},
          table: "pipelines",
        }),
      ),
      ...triggers.map(
        ({ id, pipeline_id, name, next_run, config }): Due => ({
          id,
          pipelineId: pipeline_id,
          cause: `trigger: ${name}`,
          at: next_run ?? time,
          expression: config.cron_expression ?? "",
          zone: config.timezone,
          parameters: config.parameters ?? {},
          table: "triggers",
        }),
      ),
    ];
  }

  /**
   * Asks for the run, and goes on to the next firing in the same step, unless it was fired, paused, changed or deleted since it was looked up. Whoever is stopped between
   * finds the run when it asks again.
   */
  private async fire(due: Due): Promise<void> {
    const { sql, isAirflows, now } = this.options;
    const { id, at, expression, zone, table } = due;
    const owner = sql`pipelines.${sql(table)}`;
    await sql.begin(async (tx) => {
      const [row] = await tx`select from ${owner}
        where id = ${id} and next_run = ${at} and status = 'active' and deleted_at is null for no key update`;
      if (!row) return;
      if (table === "triggers" || !isAirflows) await this.request(due);
      const next = nextFiring(expression, zone, new Date(now()));
      const fired = table === "triggers" ? tx`, last_run = ${at}` : tx``;
      await tx`update ${owner} set next_run = ${next} ${fired} where id = ${id}`;
    });
  }

  private async request({ id, pipelineId, cause, parameters, at, table }: Due): Promise<void> {
    const { runs, log } = this.options;
    const firedFor = `${table}:${id}:${at.toISOString()}`;
    try {
      await runs.request({ pipelineId, cause, parameters, firedFor });
    } catch (error) {
      // It cannot run, or does not want to run twice at once: this firing is left out.
      if (!(error instanceof Failure)) throw error;
      log.warn({ pipeline: pipelineId, reason: error.message }, "a scheduled run was left out");
    }
  }
}
