/** Postman's collection of `specs/messenger.md`, run by newman. */
import collection from "../messenger/postman-collection.json";
import { codeOf } from "./messenger-document.ts";

interface Execution {
  item: { name: string };
  response?: { code: number };
  requestError?: Error;
}

interface Summary {
  run: { executions: Execution[]; failures: { error: Error }[] };
  environment: { get(name: string): unknown };
}

interface Newman {
  run(options: object, done: (error: Error | null, summary: Summary) => void): void;
}

/** Newman tells no types. */
const newman: Newman = require("newman");

const event = (listen: "test" | "prerequest", section: string) => ({
  listen,
  script: { type: "text/javascript", exec: codeOf(section).split("\n") },
});

/** The collection as its reader has it: the script of 12.3 added to the login, that of 12.4 to all. */
function withScripts() {
  const prepared = structuredClone(collection) as typeof collection & { event?: object[] };
  prepared.event = [event("prerequest", "12.4")];
  const requests: { request: { url: { raw: string } }; event?: object[] }[] = prepared.item.flatMap(
    ({ item }) => item,
  );
  for (const item of requests)
    if (item.request.url.raw.endsWith("/auth/login")) item.event = [event("test", "12.3")];
  return prepared;
}

export interface CollectionRun {
  /** Each request's name and what it was answered. */
  answers: Record<string, number | string>;
  /** What newman counts as failed: requests without an answer, scripts that threw. */
  failures: string[];
  /** `access_token` of the environment, in the end. */
  accessToken: unknown;
}

/** Runs the collection, or some of its folders, with the environment of 12.2. */
export function runCollection(url: string, folders?: string[]): Promise<CollectionRun> {
  const values = [
    { key: "base_url", value: url, enabled: true },
    { key: "access_token", value: "", enabled: true },
  ];
  const options = {
    collection: withScripts(),
    environment: { name: "local", values },
    folder: folders,
    reporters: [],
  };
  return new Promise((resolve, reject) => {
    newman.run(options, (error, summary) => {
      if (error) return reject(error);
      const { executions, failures } = summary.run;
      resolve({
        answers: Object.fromEntries(
          executions.map(({ item, response, requestError }) => [
            item.name,
            response?.code ?? String(requestError),
          ]),
        ),
        failures: failures.map(({ error: { message } }) => message),
        accessToken: summary.environment.get("access_token"),
      });
    });
  });
}
