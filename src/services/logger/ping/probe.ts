/** One look at a watched URL. */
import type { ProbePolicy } from "./addresses.ts";
import { networkFailure, ProbeFailure } from "./failures.ts";
import { type Answer, get, type Watch } from "./get.ts";

export type { ProbePolicy } from "./addresses.ts";

/** What a probe saw. `httpStatus` is that of the final answer, null when there was none; `error` may be shown. */
export interface ProbeResult {
  status: "ok" | "degraded" | "down";
  responseTimeMs: number;
  httpStatus: number | null;
  error: string | null;
  isNetworkError: boolean;
  certificateExpiresAt: Date | null;
}

type Verdict = Pick<ProbeResult, "status" | "httpStatus" | "error" | "isNetworkError">;

const timeLimitMs = 10_000;
const slowMs = 3000;
const mostRedirects = 10;

/** Why a URL cannot be watched, in Russian; null when it can. What its host resolves to is for `probe` to check. */
export function checkUrl(url: string): string | null {
  if (!URL.canParse(url)) return "Адрес не разобран или в нём нет узла";
  const { protocol, hostname, username, password } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return "Наблюдать можно только за http и https";
  if (username !== "" || password !== "") return "Имя и пароль в адресе не допускаются";
  return hostname === "" ? "В адресе нет узла" : null;
}

/** A URL that may be watched; throws a ProbeFailure with `prefix` for any other. */
function parse(text: string, prefix: string, base?: string): URL {
  const target = URL.canParse(text, base) ? new URL(text, base) : null;
  const reason = checkUrl(target?.href ?? "");
  if (target && reason === null) return target;
  throw new ProbeFailure(`${prefix}${reason}`, false);
}

/** The first answer that redirects nowhere. */
async function follow(url: string, watch: Watch): Promise<Answer> {
  let target = parse(url, "");
  for (let hop = 0; hop <= mostRedirects; hop++) {
    const answer = await get(target, watch);
    if (answer.location === null) return answer;
    target = parse(answer.location, "Перенаправление: ", target.href);
  }
  throw new ProbeFailure("Слишком много перенаправлений", false);
}

function judge(httpStatus: number, tookMs: number): Verdict {
  const known = { httpStatus, isNetworkError: false };
  if (httpStatus < 200 || httpStatus >= 500) return { ...known, status: "down", error: `HTTP ${httpStatus}` };
  if (httpStatus >= 400) return { ...known, status: "degraded", error: `HTTP ${httpStatus}` };
  return { ...known, status: tookMs > slowMs ? "degraded" : "ok", error: null };
}

function failed({ message, isNetworkError }: ProbeFailure): Verdict {
  return { status: "down", httpStatus: null, error: message, isNetworkError };
}

/** A signal that ends a probe at the time limit or with the caller's signal; `release` when the probe is over. */
function limit(signal?: AbortSignal): { stop: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const cancel = () => controller.abort(new ProbeFailure("Проверка прервана", false));
  const late = () => controller.abort(new ProbeFailure(`Нет ответа за ${timeLimitMs / 1000} с`, true));
  const timer = setTimeout(late, timeLimitMs);
  const release = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  };
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  return { stop: controller.signal, release };
}

/**
 * Sends a GET and follows its redirects, checking what every hop resolves to. Never throws. Ends within ten
 * seconds, or when `signal` aborts.
 */
export async function probe(url: string, policy: ProbePolicy, signal?: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  const { stop, release } = limit(signal);
  const watch: Watch = { policy, stop, certificateExpiresAt: null };
  const answered = await follow(url, watch).catch(networkFailure);
  release();
  const tookMs = performance.now() - started;
  const verdict = answered instanceof ProbeFailure ? failed(answered) : judge(answered.status, tookMs);
  const { certificateExpiresAt } = watch;
  return { ...verdict, responseTimeMs: Math.round(tookMs), certificateExpiresAt };
}
