/** A log as it comes in: checked by hand, because every log goes through here. */
import type { Problem } from "../../../platform/http/failures.ts";

/** A log that may be stored. */
export interface LogInput {
  level: string;
  message: string;
  tags: string[];
  /** Milliseconds since 1970. */
  at: number;
  metadata: Record<string, unknown>;
}

/** What times are taken, in milliseconds. */
export interface TimeRange {
  oldest: number;
  latest: number;
}

const longestLevel = 64;
const longestTag = 128;
const mostTags = 64;
/** Characters of a message; the body's limit bounds the rest. */
const longestMessage = 512 * 1024;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const problem = (field: string, message: string): Problem => ({
  path: ["body", ...field.split(".")],
  message,
  type: "value_error",
});

function textProblem(value: unknown, field: string, most: number): Problem | null {
  if (value === undefined || value === null) return problem(field, "Обязательное поле");
  if (typeof value !== "string") return problem(field, "Ожидается строка");
  if (value.trim() === "") return problem(field, "Не может быть пустым");
  return value.length > most ? problem(field, `Не больше ${most} символов`) : null;
}

function tagsProblem(tags: unknown): Problem | null {
  if (tags === undefined || tags === null) return null;
  if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== "string"))
    return problem("log.tags", "Ожидается список строк");
  if (tags.length > mostTags) return problem("log.tags", `Не больше ${mostTags} тегов`);
  return tags.some((tag: string) => tag.length > longestTag)
    ? problem("log.tags", `Тег не длиннее ${longestTag} символов`)
    : null;
}

function metadataProblem(metadata: unknown): Problem | null {
  if (metadata === undefined || metadata === null) return null;
  if (!isRecord(metadata)) return problem("log.metadata", "Ожидается объект");
  for (const name of ["ip", "service", "user"]) {
    const value = metadata[name];
    if (value !== undefined && value !== null && typeof value !== "string")
      return problem(`log.metadata.${name}`, "Ожидается строка");
  }
  return null;
}

const isoForm = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** The time of a log, or what is wrong with it. Numbers are milliseconds since 1970. */
function timeOf(value: unknown, now: number, { oldest, latest }: TimeRange): number | Problem {
  if (value === undefined || value === null) return now;
  const isTime = typeof value === "number" || (typeof value === "string" && isoForm.test(value.trim()));
  const at = isTime ? new Date(value).getTime() : Number.NaN;
  if (Number.isNaN(at)) return problem("log.timestamp", "Некорректная дата, ожидается ISO 8601");
  if (at > latest) return problem("log.timestamp", "Дата дальше чем через 2 дня");
  return at < oldest ? problem("log.timestamp", "Дата старше срока хранения логов") : at;
}

/** The log, or everything that is wrong with it. */
export function readLog(log: unknown, now: number, range: TimeRange): LogInput | Problem[] {
  if (!isRecord(log)) return [problem("log", log === undefined ? "Обязательное поле" : "Ожидается объект")];
  const { level, message, tags, timestamp, metadata } = log;
  const at = timeOf(timestamp, now, range);
  const problems = [
    textProblem(level, "log.level", longestLevel),
    textProblem(message, "log.message", longestMessage),
    tagsProblem(tags),
    metadataProblem(metadata),
    typeof at === "number" ? null : at,
  ].filter((each) => each !== null);
  if (problems.length > 0 || typeof at !== "number") return problems;
  return {
    level: level as string,
    message: message as string,
    tags: (tags as string[] | null | undefined) ?? [],
    at,
    metadata: (metadata as Record<string, unknown> | null | undefined) ?? {},
  };
}
