/** What the routes work with, and the guard that all of them stand behind. */
import { Elysia } from "elysia";
import type { Logins } from "../../../platform/identity/login.ts";
import type { AccessLists } from "../access-lists.ts";
import type { Telegram } from "../alerts/telegram.ts";
import type { Guard } from "../guard.ts";
import type { Ingest } from "../ingest/ingest.ts";
import type { PingHistory } from "../ping/history.ts";
import type { PingServices } from "../ping/ping-services.ts";
import type { Projects } from "../projects.ts";
import * as schemas from "../schemas.ts";
import type { Search } from "../search/search.ts";
import type { SystemLog } from "../system-log.ts";

export interface LoggerParts {
  guard: Guard;
  ingest: Ingest;
  lists: AccessLists;
  logins: Logins;
  pings: PingServices;
  history: PingHistory;
  projects: Projects;
  search: Search;
  system: SystemLog;
  telegram: Telegram;
  /** Seals a secret before it is stored. */
  seal(secret: string): string;
}

export const tags = ["Logger"];

/** Failures that any of the routes may answer. */
export const failures = {
  400: schemas.failure,
  401: schemas.failure,
  403: schemas.failure,
  404: schemas.failure,
  429: schemas.failure,
};

/** Blacklist, rate limit, administrator: for every route but those that anybody may use. */
export const administrators = ({ guard }: LoggerParts) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, set }) => {
    const address = guard.admit(request);
    await guard.count(address, set.headers);
    return { caller: await guard.administrator(request), address };
  });
