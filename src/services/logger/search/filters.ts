/** What logs are asked for: the document's filters, as SQL and as a test of one log (for the live tail). */
import type { Fragment } from "postgres";
import { z } from "zod";
import type { Queries } from "../../../platform/database/connect.ts";
import { containing } from "../../../platform/database/like.ts";
import { parseObjectId } from "../object-id.ts";

const text = z.string().min(1).max(1000).optional();

const date = z
  .string()
  .refine((value) => !Number.isNaN(Date.parse(value)), "Некорректная дата, ожидается ISO 8601")
  .transform((value) => new Date(value))
  .optional();

const identifier = z.string().refine((value) => parseObjectId(value) !== null, "Некорректный идентификатор");

/** The fields of a search, in a query or a body. An unknown one is refused: a misspelt filter must not widen a deletion. */
export const filterFields = {
  level: text,
  text,
  tag: text,
  user: text,
  ip: text,
  service: text,
  startDate: date,
  endDate: date,
  logId: identifier.optional(),
};

export const filters = z.strictObject(filterFields);

export type Filters = z.output<typeof filters>;

export const pageFields = {
  limit: z.coerce.number().int().min(1).max(5000).default(5000),
  before: identifier
    .optional()
    .describe("An `_id`: only what comes after it in the list, that is older logs"),
};

/** `and …` for each filter. The values are parameters. */
export function conditions(sql: Queries, given: Filters): Fragment {
  const { level, text: words, tag, user, ip, service, startDate, endDate, logId } = given;
  const parts: Fragment[] = [];
  if (level !== undefined) parts.push(sql`and level = ${level}`);
  if (words !== undefined) parts.push(sql`and message ilike ${containing(words)}`);
  if (tag !== undefined) parts.push(sql`and tags @> ${[tag]}::text[]`);
  if (user !== undefined) parts.push(sql`and metadata->>'user' = ${user}`);
  if (service !== undefined) parts.push(sql`and metadata->>'service' = ${service}`);
  if (ip !== undefined) parts.push(sql`and (metadata->>'ip' = ${ip} or client_ip = ${ip})`);
  if (startDate !== undefined) parts.push(sql`and at >= ${startDate}`);
  if (endDate !== undefined) parts.push(sql`and at <= ${endDate}`);
  if (logId !== undefined) parts.push(byIdentifier(sql, logId));
  return parts.length === 0 ? sql`` : parts.reduce((all, part) => sql`${all} ${part}`);
}

function byIdentifier(sql: Queries, logId: string): Fragment {
  const { seconds, id } = parseObjectId(logId) ?? { seconds: 0, id: -1 };
  const [from, to] = [new Date(seconds * 1000), new Date((seconds + 1) * 1000)];
  return sql`and at >= ${from} and at < ${to} and id = ${id}`;
}

export interface TestedLog {
  level: string;
  message: string;
  tags: string[];
  at: number;
  metadata: Record<string, unknown>;
  clientIp: string | null;
}

/** Whether one log is asked for; the same as the SQL says. */
export function matches(
  { level, text: words, tag, user, ip, service, startDate, endDate }: Filters,
  log: TestedLog,
): boolean {
  const is = (wanted: string | undefined, ...found: unknown[]) =>
    wanted === undefined || found.includes(wanted);
  return (
    is(level, log.level) &&
    (words === undefined || log.message.toLowerCase().includes(words.toLowerCase())) &&
    (tag === undefined || log.tags.includes(tag)) &&
    is(user, log.metadata.user) &&
    is(service, log.metadata.service) &&
    is(ip, log.metadata.ip, log.clientIp) &&
    (startDate === undefined || log.at >= startDate.getTime()) &&
    (endDate === undefined || log.at <= endDate.getTime())
  );
}
