/** Systems to move rows between: a PostgreSQL and a ClickHouse of the machine's packages, each in a directory of its own, on a free port. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine, output } from "./pipelines-commands.ts";

export interface Postgres {
  port: number;
  user: string;
  /** What lets psql find it, with time zone UTC. */
  environment: Record<string, string>;
  /** Runs statements in a database, each by itself; answers what they print. */
  run(database: string, ...statements: string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface ClickHouse {
  port: number;
  /** The command of its client. */
  client: string;
  /** Runs a statement; answers what it prints. */
  run(statement: string): Promise<string>;
  stop(): Promise<void>;
}

const versions = "/usr/lib/postgresql";
const asPostgres =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

/** Directory of the newest PostgreSQL's programs (Debian's layout); null when there is none. */
function postgresPrograms(): string | null {
  try {
    const newest = readdirSync(versions).toSorted((a, b) => Number(b) - Number(a))[0];
    return newest === undefined ? null : join(versions, newest, "bin");
  } catch {
    return null;
  }
}

const clickHouseServer = Bun.which("clickhouse-server");

/** Why there can be no PostgreSQL; null when there can. */
export const missingPostgres = (): string | null =>
  postgresPrograms() && Bun.which("psql") ? null : "PostgreSQL is not installed";

/** Why there can be no ClickHouse; null when there can. */
export const missingClickHouse = (): string | null =>
  clickHouseServer && Bun.which("clickhouse-client") ? null : "ClickHouse is not installed";

const freePort = () =>
  new Promise<number>((resolve) => {
    const holder = createServer().listen(0, "127.0.0.1", () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });

function newDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `quintet-bench-${name}-`));
  // PostgreSQL's user must get through.
  chmodSync(directory, 0o711);
  return directory;
}

/** Waits until it answers, for half a minute. */
async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (attempt > 150) throw error;
      await Bun.sleep(200);
    }
  }
}

/**
 * Starts an empty PostgreSQL as its package sets it up (durable, 128 MB of shared buffers), but without autovacuum, which would come upon one contender and not upon the
 * other.
 */
export async function startPostgres(): Promise<Postgres> {
  const programs = postgresPrograms() ?? "";
  const directory = newDirectory("postgresql");
  const cluster = join(directory, "cluster");
  mkdirSync(cluster);
  const user = "bench";
  const port = await freePort();
  if (asPostgres.length > 0) await output(["chown", "postgres:postgres", cluster]);
  const make = ["-D", cluster, "-U", user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
  await output([...asPostgres, join(programs, "initdb"), ...make]);
  const settings = { listen_addresses: "127.0.0.1", autovacuum: "off" };
  const set = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = Bun.spawn(
    [...asPostgres, join(programs, "postgres"), "-D", cluster, "-p", String(port), "-k", cluster, ...set],
    { stdin: "ignore", stdout: "ignore", stderr: "ignore", cwd: cluster },
  );
  const environment = {
    PGHOST: "127.0.0.1",
    PGPORT: String(port),
    PGUSER: user,
    PGTZ: "UTC",
    PGOPTIONS: "-c client_min_messages=warning",
  };
  const run = (database: string, ...statements: string[]) =>
    output(
      ["psql", "-d", database, ...psqlFlags, ...statements.flatMap((each) => ["-c", each])],
      environment,
    );
  await answering(() => run("postgres", "select 1"));
  return {
    port,
    user,
    environment,
    run,
    async stop() {
      // SIGINT: without waiting for clients.
      child.kill("SIGINT");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Quiet, without the user's own settings, rows as they are, ending at the first failure. */
export const psqlFlags = ["-qXAt", "-v", "ON_ERROR_STOP=1"];

/** Starts an empty ClickHouse. */
export async function startClickHouse(): Promise<ClickHouse> {
  const directory = newDirectory("clickhouse");
  for (const name of ["data", "tmp"]) mkdirSync(join(directory, name));
  const [port, nativePort] = [await freePort(), await freePort()];
  const users = join(directory, "users.xml");
  writeFileSync(
    users,
    `<yandex><profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
    <users><default><password></password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></yandex>`,
  );
  const config = join(directory, "config.xml");
  writeFileSync(
    config,
    `<yandex><logger><level>none</level><console>1</console></logger><listen_host>127.0.0.1</listen_host>
    <http_port>${port}</http_port><tcp_port>${nativePort}</tcp_port><timezone>UTC</timezone>
    <path>${directory}/data/</path><tmp_path>${directory}/tmp/</tmp_path><mark_cache_size>67108864</mark_cache_size>
    <users_config>${users}</users_config><default_profile>default</default_profile>
    <default_database>default</default_database></yandex>`,
  );
  const child = Bun.spawn([clickHouseServer ?? "", `--config-file=${config}`], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    cwd: directory,
  });
  const client = ["clickhouse-client", "--host", "127.0.0.1", "--port", String(nativePort)];
  const run = (statement: string) => output([...client, "--query", statement]);
  await answering(() => run("SELECT 1"));
  return {
    port,
    client: commandLine(client),
    run,
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
