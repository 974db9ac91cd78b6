/** A client of the Logger. */
import { ask, logIn, register } from "./accounts.ts";

/** Makes the first administrator of a server and answers a token. */
export async function administrator(url: string): Promise<string> {
  await register(url, "admin");
  return (await logIn(url, "admin")).body.access_token;
}

/** Makes a project and answers its uuid. */
export async function makeProject(url: string, token: string, fields: object = {}): Promise<string> {
  const { status, body } = await ask(url, "POST", "/api/projects", {
    token,
    body: { name: "Project", ...fields },
  });
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.uuid;
}

/** Sends one log. */
export const sendLog = (url: string, uuid: string, log: object = {}, headers: Record<string, string> = {}) =>
  ask(url, "POST", "/api/logs", {
    body: { uuid, log: { level: "INFO", message: "hello", ...log } },
    headers,
  });

export interface FoundLog {
  _id: string;
  level: string;
  message: string;
  tags: string[];
  timestamp: string;
  metadata: Record<string, unknown>;
}

/** Logs of a project. */
export async function findLogs(url: string, token: string, uuid: string, query = ""): Promise<FoundLog[]> {
  const { status, body } = await ask(url, "GET", `/api/projects/${uuid}/logs?${query}`, { token });
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.logs;
}

/** Waits until `check` answers something but null or false. */
export async function until<T>(
  check: () => Promise<T | null | false> | T | null | false,
  seconds = 20,
): Promise<T> {
  for (let at = 0; at < seconds * 20; at++) {
    const found = await check();
    if (found !== null && found !== false) return found;
    await Bun.sleep(50);
  }
  throw new Error("it never happened");
}
