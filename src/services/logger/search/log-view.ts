/** A log as the document shows it. */
import { objectId } from "../object-id.ts";

/** A row as PostgreSQL answers it. */
export interface StoredLog {
  id: string | number;
  at: Date;
  level: string;
  message: string;
  tags: string[];
  metadata: Record<string, unknown>;
  client_ip: string | null;
}

export const logView = (
  { id, at, level, message, tags, metadata, client_ip }: StoredLog,
  projectUuid: string,
) => ({
  _id: objectId(at, Number(id)),
  projectUuid,
  level,
  message,
  tags,
  timestamp: at.toISOString(),
  metadata,
  clientIP: client_ip,
});

export type LogView = ReturnType<typeof logView>;
