/** A client of the Pipelines service: makes what is needed and follows runs to their end, as any user's program does. */
import type { BenchServer } from "./server.ts";

const pollMilliseconds = 50;

export interface PipelinesClient {
  /** Makes a connector; answers its id. */
  connector(type: string, config: object, credentials: object): Promise<string>;
  /** Makes a pipeline; answers its id. */
  pipeline(definition: {
    sources: object[];
    transformations?: object[];
    targets: object[];
    config?: object;
  }): Promise<string>;
  /** Runs a pipeline and waits for its end. Throws when that is no success. */
  run(pipeline: string): Promise<void>;
}

/** Registers somebody who then asks for everything. */
export async function openPipelines({ url }: BenchServer): Promise<PipelinesClient> {
  let token = "";
  let made = 0;
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(body ? { "Content-Type": "application/json" } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text);
  };
  const account = { username: "bench", password: "password" };
  await call("POST", "/auth/register", account);
  token = (await call("POST", "/auth/login", account)).access_token;
  return {
    async connector(type, config, credentials) {
      return (await call("POST", "/connectors", { name: `${type} ${made++}`, type, config, credentials })).id;
    },
    async pipeline(definition) {
      const config = { retries: 0, ...definition.config };
      return (await call("POST", "/pipelines", { name: `pipeline ${made++}`, ...definition, config })).id;
    },
    async run(pipeline) {
      const { run_id } = await call("POST", `/pipelines/${pipeline}/run`, {});
      for (;;) {
        await Bun.sleep(pollMilliseconds);
        const { status, error } = await call("GET", `/pipelines/${pipeline}/runs/${run_id}`);
        if (status === "success") return;
        if (status === "failed" || status === "cancelled")
          throw new Error(`the run ended as ${status}: ${error?.message}`);
      }
    },
  };
}
