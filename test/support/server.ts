/** A real server for tests: port 0, a data directory of its own, a database copied from one that was made once. */
import { setDefaultTimeout } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { readConfig } from "../../src/config.ts";
import { type Quintet, startServer } from "../../src/server.ts";

// Tests start real servers and databases; a hang must still end well before CI's own limit.
setDefaultTimeout(120_000);

export interface TestServer {
  url: string;
  dataDirectory: string;
  quintet: Quintet;
  stop(): Promise<void>;
}

const directories: string[] = [];

/** Called once, after the last test. */
export function removeTemporaryDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

/** A temporary directory that is removed when the tests end; others may pass through, so that PostgreSQL's user can. */
export function temporaryDirectory(name = "test"): string {
  const directory = mkdtempSync(join(tmpdir(), `quintet-${name}-`));
  chmodSync(directory, 0o711);
  directories.push(directory);
  return directory;
}

const quiet = { LOG_LEVEL: "silent", HOST: "127.0.0.1", PORT: "0" };

let template: Promise<string> | null = null;

/** A data directory with a migrated, empty database, made once for the whole run. */
async function makeTemplate(): Promise<string> {
  const directory = join(temporaryDirectory("template"), "data");
  const server = await startServer(readConfig({}, { ...quiet, DATA_DIR: directory }));
  await server.stop();
  return directory;
}

/** A fresh data directory: the cluster and its keys are copied, the unpacked programs are hard links. */
export async function freshDataDirectory(): Promise<string> {
  template ??= makeTemplate();
  const from = await template;
  const to = join(temporaryDirectory("data"), "data");
  mkdirSync(to, { mode: 0o711 });
  await $`cp -a ${join(from, "postgres")} ${join(from, "secrets")} ${to} && cp -al ${join(from, "runtime")} ${to}`.quiet();
  return to;
}

/** Starts a server in this process. `settings` are environment variables; without rate limits unless they say otherwise. */
export async function startTestServer(settings: Record<string, string> = {}): Promise<TestServer> {
  const dataDirectory = settings.DATA_DIR ?? (await freshDataDirectory());
  const quintet = await startServer(
    readConfig({}, { ...quiet, RATE_LIMITS: "off", ...settings, DATA_DIR: dataDirectory }),
  );
  return {
    url: quintet.url.origin,
    dataDirectory,
    quintet,
    async stop() {
      await quintet.stop();
      if (existsSync(dataDirectory)) rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
