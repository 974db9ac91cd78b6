/** A PostgreSQL that is not Quintet's own: the system's programs, a cluster in a temporary directory. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import { temporaryDirectory } from "./server.ts";

const versions = "/usr/lib/postgresql";

/** Programs of the system's PostgreSQL (Debian's layout); null when there is none. */
function systemPostgres(): string | null {
  try {
    const [newest] = readdirSync(versions).toSorted().reverse();
    return newest ? join(versions, newest, "bin") : null;
  } catch {
    return null;
  }
}

const programs = systemPostgres();
const asPostgres =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

/** Whether tests can have one: else they are skipped, except in CI, where its absence is a failure. */
export const hasPostgres = programs !== null || process.env.CI === "true";
if (!hasPostgres) console.warn("skipping tests of an external database: PostgreSQL is not installed");

/** A port that nobody listens on. */
export const freePort = () =>
  new Promise<number>((resolve) => {
    const holder = createServer().listen(0, "127.0.0.1", () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });

export interface TestPostgres {
  /** `postgres://` with user and password. */
  url: string;
  stop(): Promise<void>;
}

/** Starts an empty PostgreSQL. */
export async function startPostgres(): Promise<TestPostgres> {
  if (!programs) throw new Error("PostgreSQL is not installed");
  const directory = temporaryDirectory("external");
  const cluster = join(directory, "cluster");
  mkdirSync(cluster);
  if (asPostgres.length > 0) await $`chown postgres:postgres ${cluster}`;
  const port = await freePort();
  writeFileSync(join(directory, "password"), "letters and digits 1", { mode: 0o644 });
  const make = ["-D", cluster, "-U", "owner", "-A", "scram-sha-256", "--no-sync"];
  await $`${asPostgres} ${join(programs, "initdb")} ${make} --pwfile=${join(directory, "password")}`.quiet();
  const settings = `-p ${port} -k ${cluster} -c listen_addresses=127.0.0.1`;
  const control = join(programs, "pg_ctl");
  await $`${asPostgres} ${control} -D ${cluster} -w -l ${join(cluster, "log")} -o ${settings} start`.quiet();
  return {
    url: `postgres://owner:${encodeURIComponent("letters and digits 1")}@127.0.0.1:${port}/postgres`,
    async stop() {
      await $`${asPostgres} ${control} -D ${cluster} -m immediate stop`.quiet();
    },
  };
}
