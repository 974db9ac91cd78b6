/** A ClickHouse of its own: the system's program, with a configuration and a directory of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./postgres.ts";
import { temporaryDirectory } from "./server.ts";

const program = Bun.which("clickhouse-server") ?? Bun.which("clickhouse-server", { PATH: "/usr/sbin" });

/** Whether tests can have one: else they are skipped, except in CI, where its absence is a failure. */
export const hasClickHouse = program !== null || process.env.CI === "true";
if (!hasClickHouse) console.warn("skipping tests of ClickHouse: clickhouse-server is not installed");

export interface TestClickHouse {
  host: string;
  /** Of HTTP. */
  port: number;
  /** Of clickhouse-client. */
  nativePort: number;
  username: string;
  password: string;
  /** Runs a statement past our own code; answers its output. Throws with ClickHouse's complaint. */
  query(sql: string): Promise<string>;
  stop(): Promise<void>;
}

const username = "quintet";
const password = "п@ss wörd'1";

/** Starts an empty one, in a time zone that is not UTC, and waits until it answers. */
export async function startClickHouse(): Promise<TestClickHouse> {
  if (!program) throw new Error("clickhouse-server is not installed");
  const directory = temporaryDirectory("clickhouse");
  for (const name of ["data", "tmp"]) mkdirSync(join(directory, name));
  const [port, nativePort] = [await freePort(), await freePort()];
  const users = join(directory, "users.xml");
  writeFileSync(
    users,
    `<yandex><profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
    <users><${username}><password>${password}</password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></${username}></users><quotas><default/></quotas></yandex>`,
  );
  const config = join(directory, "config.xml");
  writeFileSync(
    config,
    `<yandex><logger><level>none</level><console>1</console></logger><listen_host>127.0.0.1</listen_host>
    <http_port>${port}</http_port><tcp_port>${nativePort}</tcp_port><timezone>Europe/Moscow</timezone>
    <path>${directory}/data/</path><tmp_path>${directory}/tmp/</tmp_path><mark_cache_size>67108864</mark_cache_size>
    <users_config>${users}</users_config><default_profile>default</default_profile>
    <default_database>default</default_database></yandex>`,
  );
  const child = Bun.spawn([program, `--config-file=${config}`], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    cwd: directory,
  });
  const url = `http://127.0.0.1:${port}/`;
  const headers = {
    "X-ClickHouse-User": username,
    "X-ClickHouse-Key": encodedHeader(password),
  };
  const query = async (sql: string) => {
    const response = await fetch(`${url}?wait_end_of_query=1`, { method: "POST", headers, body: sql });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  };
  for (let attempt = 0; ; attempt++) {
    try {
      await query("SELECT 1");
      break;
    } catch (error) {
      if (attempt > 100 || child.exitCode !== null) throw error;
      await Bun.sleep(100);
    }
  }
  return {
    host: "127.0.0.1",
    port,
    nativePort,
    username,
    password,
    query,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Headers carry bytes, fetch takes them as Latin-1. */
const encodedHeader = (text: string): string => Buffer.from(text).toString("latin1");
