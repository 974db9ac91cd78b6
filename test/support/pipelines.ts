/** A client of Pipelines, with pipelines from file to file. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, ask, logIn, register } from "./accounts.ts";
import { until } from "./logger.ts";
import { temporaryDirectory } from "./server.ts";

export const user = { username: "admin", password: "password" };

/** A directory with `in.csv` of three rows, to be named in PIPELINES_FILE_ROOTS. */
export function fileRoot(): string {
  const directory = temporaryDirectory("files");
  writeFileSync(join(directory, "in.csv"), "id,name\n1,one\n2,two\n3,three\n");
  return directory;
}

/** Transformations that take for ever, until they are cancelled. */
export const endless = [
  { type: "sql", code: "select * from input" },
  { type: "sql", code: "select max(a.range * b.range) as most from range(10000000) a, range(100000000) b" },
];

export interface PipelinesClient {
  token: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Makes one from `in.csv` to a file; answers its id. */
  make(more?: object): Promise<string>;
  /** Makes and deploys one. */
  deploy(more?: object): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  look(pipeline: string, run: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  ended(pipeline: string, run: string): Promise<any>;
}

let made = 0;

/** Registers the administrator, unless that is done, and logs in. `url` is asked for at each call. */
export async function pipelinesClient(url: () => string): Promise<PipelinesClient> {
  await register(url(), user.username, user.password).catch(() => {});
  const { body } = await logIn(url(), user.username, user.password);
  const token = String(body.access_token);
  const call: PipelinesClient["call"] = (method, path, given, headers) =>
    ask(url(), method, `/api/v1${path}`, {
      token,
      ...(given === undefined ? {} : { body: given }),
      ...(headers ? { headers } : {}),
    });
  const make = async (more: object = {}) => {
    const answer = await call("POST", "/pipelines", {
      name: `from file to file ${++made}`,
      sources: [{ type: "csv", config: { path: "in.csv" } }],
      targets: [{ type: "csv", config: { path: `out-${made}.csv` } }],
      config: { mode: "replace", retries: 0 },
      ...more,
    });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return answer.body.id;
  };
  const look = async (pipeline: string, run: string) =>
    (await call("GET", `/pipelines/${pipeline}/runs/${run}`)).body;
  return {
    token,
    call,
    make,
    async deploy(more) {
      const id = await make(more);
      const answer = await call("POST", `/pipelines/${id}/deploy`);
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      return id;
    },
    look,
    ended: (pipeline, run) =>
      until(async () => {
        const found = await look(pipeline, run);
        return ["success", "failed", "cancelled"].includes(found.status) ? found : null;
      }, 60),
  };
}
