/** Who gets in: the blacklist before all else, then the rate limit, then administrators' tokens. */
import { isLoopback, parseCidrs } from "../../platform/http/address.ts";
import { Failure, forbidden, unauthenticated } from "../../platform/http/failures.ts";
import type { Limiter } from "../../platform/http/limiter.ts";
import type { Requests } from "../../platform/http/requests.ts";
import { bearerToken } from "../../platform/identity/bearer.ts";
import type { Identity, Sessions } from "../../platform/identity/sessions.ts";
import type { AccessLists } from "./access-lists.ts";
import type { SystemLog } from "./system-log.ts";
import type { ProjectRow } from "./tables.ts";

export interface GuardOptions {
  lists: AccessLists;
  limiter: Limiter;
  requests: Requests;
  sessions: Sessions;
  system: SystemLog;
  /** Now, in milliseconds. */
  now: () => number;
}

const limitMessage = "Превышен лимит запросов";
/** Private and loopback ranges (RFC 1918, RFC 4193, RFC 6598, link-local): where containers of one machine live. */
const privateRanges = parseCidrs(
  "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 ::1 fc00::/7 fe80::/10",
);

export class Guard {
  private readonly options: GuardOptions;

  constructor(options: GuardOptions) {
    this.options = options;
  }

  /** The client's address. Fails with `forbidden` when it is shut out. */
  admit(request: Request): string {
    const { requests, lists, system, now } = this.options;
    const { address } = requests.of(request);
    if (!lists.isBlocked(address, now())) return address;
    const path = new URL(request.url).pathname;
    system.note({
      level: "SECURITY",
      kind: "BLOCKED",
      message: "Запрос с заблокированного IP отклонён",
      address,
      details: { path },
    });
    throw forbidden("IP заблокирован", { code: "IP_BLOCKED" });
  }

  /** Counts a request against its address, unless that is trusted. Fails with `tooMany`. */
  count(address: string, headers: object): void | Promise<void> {
    const { lists, limiter } = this.options;
    if (lists.isTrusted(address)) return;
    const rule = { type: "window", limit: lists.rateLimit, seconds: 60 } as const;
    return limiter.count(() => `logger:${address}`, { rule, message: limitMessage }, headers);
  }

  /** Whose token it is. Fails with `unauthenticated`, or `forbidden` for whoever is no administrator. */
  async administrator(request: Request): Promise<Identity> {
    const token = bearerToken(request.headers.get("authorization"));
    const found = token === null ? null : await this.options.sessions.identify(token);
    if (found === null || found instanceof Failure) throw unauthenticated("Требуется авторизация");
    if (found.account.role !== "admin") throw forbidden("Недостаточно прав");
    return found;
  }

  /** Fails with `forbidden` when a project does not take logs from an address. */
  requireAccess({ accessLevel }: ProjectRow, address: string): void {
    if (accessLevel === "whitelist" && !this.options.lists.isTrusted(address))
      throw forbidden("Проект принимает логи только с IP из белого списка");
    if (accessLevel === "docker" && !privateRanges.contains(address) && !isLoopback(address))
      throw forbidden("Проект принимает логи только из внутренних сетей");
  }
}
