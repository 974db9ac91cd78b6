/** A project as the Logger works with it, and as it shows it. */
import { objectId } from "./object-id.ts";
import type { ProjectRow } from "./tables.ts";

/** The project that the Logger itself writes to. */
export const systemUuid = "logger-system";

export const defaultTags = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/** Whether anybody is told of anything that happens in a project. */
export function hasAlerts({ debugMode, telegramNotify, emailNotify, webhookNotify }: ProjectRow): boolean {
  if (debugMode) return false;
  return telegramNotify.enabled || emailNotify.enabled || webhookNotify?.enabled === true;
}

/** A project as the document shows one. `bot` is the link to the Telegram bot; its webhook's secret is never shown. */
export function projectView(project: ProjectRow, bot: string | null) {
  const link = (command: string) => (bot === null ? null : `${bot}?start=${command}_${project.uuid}`);
  return {
    _id: objectId(project.createdAt, project.id),
    uuid: project.uuid,
    name: project.name,
    description: project.description,
    logFormat: project.logFormat,
    defaultTags: project.defaultTags,
    customTags: project.customTags,
    accessLevel: project.accessLevel,
    telegramNotify: project.telegramNotify,
    emailNotify: project.emailNotify,
    webhookNotify: project.webhookNotify && { ...project.webhookNotify, secret: undefined },
    debugMode: project.debugMode,
    maxLogEntries: project.maxLogEntries,
    retentionDays: project.retentionDays,
    telegramLinks: { subscribe: link("ADD"), unsubscribe: link("DELETE") },
    createdAt: project.createdAt.toISOString(),
    updatedAt: project.updatedAt.toISOString(),
  };
}

export type ProjectView = ReturnType<typeof projectView>;
