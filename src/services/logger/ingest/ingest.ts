/** Taking logs in, one at a time or many. */
import {
  Failure,
  forbidden,
  notFound,
  type Problem,
  unprocessable,
} from "../../../platform/http/failures.ts";
import type { Guard } from "../guard.ts";
import { objectId } from "../object-id.ts";
import type { Partitions } from "../partitions.ts";
import { systemUuid } from "../project.ts";
import type { Projects } from "../projects.ts";
import type { SystemLog } from "../system-log.ts";
import type { ProjectRow } from "../tables.ts";
import { type LogInput, readLog, type TimeRange } from "./log-input.ts";
import type { IngestQueue } from "./queue.ts";

export interface IngestOptions {
  queue: IngestQueue;
  projects: Projects;
  partitions: Partitions;
  guard: Guard;
  system: SystemLog;
  /** Now, in milliseconds. */
  now: () => number;
}

/** A log that was stored. */
export interface Stored {
  id: string;
  log: LogInput;
}

/** Why one log of many was refused. */
export interface Refusal {
  /** Its place among them, from 0. */
  index: number;
  message: string;
  errors?: { field: string; message: string }[];
}

const aheadMilliseconds = 2 * 86_400_000;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const uuidProblem = (message: string): Problem => ({ path: ["body", "uuid"], message, type: "value_error" });

export class Ingest {
  private readonly options: IngestOptions;

  constructor(options: IngestOptions) {
    this.options = options;
  }

  /**
   * The project that a request writes to. Fails with `unprocessable` without a uuid, `notFound` for an unknown one, `forbidden` for the system's own and for one
   * that takes nothing from `address`.
   */
  projectOf(body: unknown, address: string): ProjectRow | Promise<ProjectRow> {
    const uuid = isRecord(body) ? body.uuid : undefined;
    if (typeof uuid !== "string" || uuid === "")
      throw unprocessable("Ошибка валидации", { problems: [uuidProblem("Обязательное поле")] });
    const known = this.options.projects.known(uuid);
    return known ? this.admitted(known, address) : this.lookUp(uuid, address);
  }

  /** Stores one log; resolves after its commit. Fails with `unprocessable`, `invalid`, `conflict` (the cap), `unavailable`. */
  async store(project: ProjectRow, body: unknown, address: string): Promise<Stored> {
    const now = this.options.now();
    const log = readLog(isRecord(body) ? body.log : undefined, now, this.range(now));
    if (Array.isArray(log)) throw this.malformed(project, log, address);
    try {
      const id = await this.options.queue.store({ ...log, project, clientIp: address });
      return { id: objectId(new Date(log.at), id), log };
    } catch (error) {
      if (error instanceof Failure && error.kind === "conflict") this.noteCap(project);
      throw error;
    }
  }

  /** Stores many logs of a project; resolves after their commits, with those that were refused, in order. */
  async storeMany(project: ProjectRow, logs: readonly unknown[], address: string): Promise<Refusal[]> {
    const now = this.options.now();
    const range = this.range(now);
    const refusals: Refusal[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    let open = logs.length;
    const settle = (refusal?: Refusal) => {
      if (refusal) refusals.push(refusal);
      if (--open === 0) resolve();
    };
    if (open === 0) resolve();
    for (const [index, given] of logs.entries()) {
      const log = readLog(given, now, range);
      if (Array.isArray(log)) {
        const errors = log.map(({ path, message }) => ({ field: path.slice(2).join("."), message }));
        settle({ index, message: "Ошибка валидации", errors });
      } else
        this.options.queue.add({ ...log, project, clientIp: address }, (result) =>
          typeof result === "number" ? settle() : settle({ index, message: result.message }),
        );
    }
    await promise;
    if (refusals.length > 0) this.noteMalformed(project, address, { refused: refusals.length });
    return refusals.toSorted((one, other) => one.index - other.index);
  }

  private range(now: number): TimeRange {
    return { oldest: this.options.partitions.oldest(), latest: now + aheadMilliseconds };
  }

  private admitted(project: ProjectRow, address: string): ProjectRow {
    if (project.uuid === systemUuid) throw forbidden("В системный проект нельзя писать извне");
    this.options.guard.requireAccess(project, address);
    return project;
  }

  private async lookUp(uuid: string, address: string): Promise<ProjectRow> {
    try {
      return this.admitted(await this.options.projects.find(uuid), address);
    } catch (error) {
      if (error instanceof Failure && error.kind === "notFound") {
        this.options.system.note({
          level: "SECURITY",
          kind: "UNKNOWN_PROJECT",
          message: "Лог для неизвестного проекта",
          address,
          details: { uuid: uuid.slice(0, 100).toWellFormed().replaceAll("\u0000", "") },
        });
        throw notFound("Проект не найден");
      }
      throw error;
    }
  }

  private malformed(project: ProjectRow, problems: Problem[], address: string): Failure {
    const errors = problems.map(({ path, message }) => `${path.slice(1).join(".")}: ${message}`);
    this.noteMalformed(project, address, { errors });
    return unprocessable("Ошибка валидации", { problems });
  }

  private noteMalformed({ uuid, name }: ProjectRow, address: string, details: Record<string, unknown>): void {
    this.options.system.note({
      level: "WARNING",
      kind: "MALFORMED_LOG",
      message: "Некорректная структура лога",
      address,
      details: { projectUuid: uuid, projectName: name, ...details },
    });
  }

  private noteCap({ uuid, name, maxLogEntries }: ProjectRow): void {
    this.options.system.note({
      level: "WARNING",
      kind: "LOG_LIMIT_EXCEEDED",
      message: `Достигнут предел логов проекта «${name}»: ${maxLogEntries}`,
      details: { projectUuid: uuid },
    });
  }
}
