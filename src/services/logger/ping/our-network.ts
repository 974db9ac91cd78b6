/** When every check fails at once it is our own network that is down, and nothing is known of the services. */
import type { ProbeResult } from "./probe.ts";

const windowMilliseconds = 30_000;
/** With fewer hosts nothing can be said. */
const leastHosts = 3;

interface Latest {
  at: number;
  failed: boolean;
}

const hostOf = (url: string): string => {
  try {
    return new URL(url).hostname;
  } catch {
    return url;
  }
};

export class OurNetwork {
  private readonly hosts = new Map<string, Latest>();
  private away = false;

  /**
   * Takes a result in (`now` in milliseconds). Answers whether our network seems to be down, and whether that is new. Whatever answers, even with an
   * error of its own, shows that it is not.
   */
  see(url: string, result: ProbeResult, now: number): { isAway: boolean; isNews: boolean } {
    this.hosts.set(hostOf(url), { at: now, failed: result.isNetworkError });
    for (const [host, { at }] of this.hosts) if (at < now - windowMilliseconds) this.hosts.delete(host);
    const latest = [...this.hosts.values()];
    const wasAway = this.away;
    this.away = latest.length >= leastHosts && latest.every(({ failed }) => failed);
    return { isAway: this.away, isNews: this.away && !wasAway };
  }
}
