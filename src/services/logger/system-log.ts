/**
 * What the Logger notes about itself, in the project `logger-system`. Notes go the way of all logs, are dropped when that is full, and are never
 * noted about in turn. An address that does the same thing over and over is noted once in ten seconds, with how often it was.
 */
import type { IngestQueue } from "./ingest/queue.ts";
import { systemUuid } from "./project.ts";
import type { Projects } from "./projects.ts";

export interface Note {
  level: "INFO" | "WARNING" | "ERROR" | "SECURITY";
  /** What kind of thing happened; a tag of the note. */
  kind: string;
  message: string;
  address?: string | null;
  details?: Record<string, unknown>;
}

const quietMilliseconds = 10_000;
const mostKeys = 10_000;

interface Repeated {
  until: number;
  times: number;
}

export class SystemLog {
  private readonly queue: IngestQueue;
  private readonly projects: Projects;
  private readonly now: () => number;
  private readonly recent = new Map<string, Repeated>();

  /** `now` in milliseconds. */
  constructor(queue: IngestQueue, projects: Projects, now: () => number) {
    this.queue = queue;
    this.projects = projects;
    this.now = now;
  }

  /** Notes something; never waits and never fails. */
  note({ level, kind, message, address = null, details = {} }: Note): void {
    const project = this.projects.known(systemUuid);
    const times = this.timesUntold(`${kind}|${address}`);
    if (!project || times === null || this.queue.isFull) return;
    const at = this.now();
    const metadata = {
      ...details,
      ...(times > 1 ? { times } : {}),
      ...(address === null ? {} : { ip: address }),
    };
    const row = { project, level, message, tags: [level, kind], at, metadata, clientIp: address };
    this.queue.add(row, () => {});
  }

  /** How often it happened since it was noted last; null when it was noted a moment ago. */
  private timesUntold(key: string): number | null {
    const now = this.now();
    const known = this.recent.get(key);
    if (known && known.until > now) {
      known.times++;
      return null;
    }
    if (this.recent.size >= mostKeys) this.recent.clear();
    this.recent.set(key, { until: now + quietMilliseconds, times: 0 });
    return (known?.times ?? 0) + 1;
  }
}
