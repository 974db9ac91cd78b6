/** Who is told of an event: puts a row for each recipient into the outbox, in the transaction of the event itself. */
import type { Queries } from "../../../platform/database/connect.ts";
import type { ProjectRow } from "../tables.ts";
import type { Channel, Event, Notice } from "./notice.ts";

interface Recipient {
  channel: Channel;
  name: string;
  tags: string[];
}

function recipientsOf({ telegramNotify, emailNotify, webhookNotify }: ProjectRow): Recipient[] {
  const telegram = telegramNotify.enabled ? telegramNotify.recipients : [];
  const email = emailNotify.enabled ? emailNotify.recipients : [];
  return [
    ...telegram.map(({ chatId, tags }) => ({ channel: "telegram" as const, name: chatId, tags })),
    ...email.map(({ email: name, tags }) => ({ channel: "email" as const, name, tags })),
    ...(webhookNotify?.enabled
      ? [{ channel: "webhook" as const, name: "webhook", tags: webhookNotify.tags }]
      : []),
  ];
}

/** The tag for which a recipient is told of an event; null when it did not ask for it. */
function wantedTag({ tags }: Recipient, event: Event): string | null {
  if (tags.length === 0) return event.tags[0] ?? "";
  return event.tags.find((tag) => tags.includes(tag)) ?? null;
}

interface Telling {
  recipient: Recipient;
  tag: string;
  event: Event;
  /** Events of the same recipient and tag at once. */
  count: number;
}

/** Events of one project by whom they are told to: of several for the same recipient and tag the first stands for all. */
function tellings(project: ProjectRow, events: readonly Event[]): Telling[] {
  const found = new Map<string, Telling>();
  for (const recipient of recipientsOf(project))
    for (const event of events) {
      const tag = wantedTag(recipient, event);
      if (tag === null) continue;
      const key = JSON.stringify([
        recipient.channel,
        recipient.name,
        tag,
        event.isAlwaysTold ? event.title : "",
      ]);
      const known = found.get(key);
      if (known) known.count++;
      else found.set(key, { recipient, tag, event, count: 1 });
    }
  return [...found.values()];
}

/** Counts a telling against the anti-spam interval; answers how many were kept back before, or null when this one is. */
async function admit(tx: Queries, { recipient, tag, event, count }: Telling): Promise<number | null> {
  const { id, telegramNotify } = event.project;
  const { channel, name } = recipient;
  const [mark] = await tx`select suppressed,
      told_at <= now() - make_interval(mins => ${telegramNotify.antiSpamInterval}) as due
    from logger.alert_marks
    where project_id = ${id} and channel = ${channel} and recipient = ${name} and tag = ${tag} for update`;
  if (mark && !mark.due && !event.isAlwaysTold) {
    await tx`update logger.alert_marks set suppressed = suppressed + ${count}
      where project_id = ${id} and channel = ${channel} and recipient = ${name} and tag = ${tag}`;
    return null;
  }
  await tx`insert into logger.alert_marks (project_id, channel, recipient, tag, told_at, suppressed)
    values (${id}, ${channel}, ${name}, ${tag}, now(), 0)
    on conflict (project_id, channel, recipient, tag) do update set told_at = now(), suppressed = 0`;
  return Number(mark?.suppressed ?? 0) + count - 1;
}

/** Puts what is to be told into the outbox; answers whether anything is. A project in debug mode tells nothing. */
export async function announce(tx: Queries, events: readonly Event[]): Promise<boolean> {
  const byProject = Map.groupBy(events, ({ project }) => project);
  let isAnything = false;
  for (const [project, own] of byProject) {
    if (project.debugMode) continue;
    for (const telling of tellings(project, own)) {
      const suppressed = await admit(tx, telling);
      if (suppressed === null) continue;
      const { recipient, tag, event } = telling;
      const { kind, title, text, at } = event;
      const { uuid, name } = project;
      const notice: Notice = {
        kind,
        project: { uuid, name },
        tag,
        title,
        text,
        at: at.toISOString(),
        suppressed,
      };
      await tx`insert into logger.outbox (project_id, channel, recipient, notice)
        values (${project.id}, ${recipient.channel}, ${recipient.name}, ${JSON.stringify(notice)}::text::jsonb)`;
      isAnything = true;
    }
  }
  return isAnything;
}
