import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the server's own keys are. */
export const secretsDirectory = (dataDirectory: string): string => join(dataDirectory, "secrets");

/**
 * A key of the server's own, kept in `<data>/secrets/<name>`, readable by nobody else. Made at first use: written aside and linked
 * into place, so that processes which start together end up with the same one.
 */
export function ownSecret(dataDirectory: string, name: string): Buffer {
  const directory = secretsDirectory(dataDirectory);
  const path = join(directory, name);
  if (!existsSync(path)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flush: true });
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (!existsSync(path)) throw error;
    } finally {
      rmSync(temporary);
    }
  }
  return Buffer.from(readFileSync(path, "utf8").trim());
}
