import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The lasting name of the server on one data directory, made at its first start. What a node leased before it was killed
 * it may take back at once when it starts again, because one lock guards the directory.
 */
export function nodeId(dataDirectory: string): string {
  const path = join(dataDirectory, "node-id");
  if (!existsSync(path)) writeFileSync(path, randomUUID(), { mode: 0o600 });
  return readFileSync(path, "utf8").trim();
}
