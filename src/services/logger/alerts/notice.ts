/** What somebody is told. */
import type { ProjectRow } from "../tables.ts";

export type NoticeKind = "log" | "ping_down" | "ping_up" | "certificate" | "network";

export interface Notice {
  kind: NoticeKind;
  project: { uuid: string; name: string };
  /** Why this recipient is told: the level or tag that was asked for. */
  tag: string;
  /** One line. */
  title: string;
  /** What there is to say beside it; may be empty. */
  text: string;
  /** ISO 8601. */
  at: string;
  /** How many of the same kind were not told since the last one. */
  suppressed: number;
}

/** Something that happened in a project, before it is known who is told. */
export interface Event {
  project: ProjectRow;
  kind: NoticeKind;
  /** Level and tags: recipients choose by them. */
  tags: string[];
  title: string;
  text: string;
  at: Date;
  /** Told whatever was told a moment ago: recoveries, and what happens once. */
  isAlwaysTold: boolean;
}

export type Channel = "telegram" | "email" | "webhook";

const marks: Record<NoticeKind, string> = {
  log: "📋",
  ping_down: "🔴",
  ping_up: "🟢",
  certificate: "🔐",
  network: "🌐",
};

const mostTitle = 300;
const mostText = 1500;

const shortened = (text: string, most: number): string => {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most).join("")}…` : text;
};

/** One notice in plain words. */
export function plainText({ kind, project, title, text, at, suppressed }: Notice): string {
  const lines = [
    `${marks[kind]} ${shortened(title, mostTitle)}`,
    ...(text === "" ? [] : [shortened(text, mostText)]),
    `${project.name} · ${at}`,
    ...(suppressed > 0 ? [`Не показано похожих: ${suppressed}`] : []),
  ];
  return lines.join("\n");
}

/** Several notices as one text of at most `most` characters: those that do not fit are counted. */
export function together(notices: readonly Notice[], most: number): string {
  const room = most - 40;
  const parts: string[] = [];
  let length = 0;
  for (const notice of notices) {
    const part = plainText(notice);
    if (parts.length > 0 && length + part.length + 2 > room) break;
    parts.push(shortened(part, room));
    length += part.length + 2;
  }
  const left = notices.length - parts.length;
  return [...parts, ...(left > 0 ? [`… и ещё уведомлений: ${left}`] : [])].join("\n\n");
}
