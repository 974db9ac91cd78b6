/** What a result means for a service: its new state, and what is worth telling. */
import type { PingRow } from "../tables.ts";
import type { ProbeResult } from "./probe.ts";

export type PingStatus = NonNullable<PingRow["lastStatus"]>;

/** Failures in a row before a service is announced as down. */
const failuresToDown = 2;
const dayMilliseconds = 86_400_000;
/** Days before its end that a certificate is announced. */
const certificateDays = [1, 7, 14];

export interface Judgement {
  status: PingStatus;
  failures: number;
  isDown: boolean;
  certificateExpiresAt: Date | null;
  certificateAnnounced: number | null;
  /** What changed so that somebody should hear of it. */
  news: ("down" | "up" | "certificate")[];
}

/** Days until a certificate ends; null without one. */
export const daysLeft = (expiresAt: Date | null, now: number): number | null =>
  expiresAt === null ? null : Math.ceil((expiresAt.getTime() - now) / dayMilliseconds);

function announcedFor(expiresAt: Date | null, now: number): number | null {
  const left = daysLeft(expiresAt, now);
  return left === null ? null : (certificateDays.find((days) => left <= days) ?? null);
}

/**
 * Judges a result against what was known. `isOurNetwork`: every check failed at once, so that nothing is known of the service. `now` in milliseconds.
 */
export function judge(
  before: Pick<PingRow, "failures" | "isDown" | "certificateExpiresAt" | "certificateAnnounced">,
  result: ProbeResult,
  isOurNetwork: boolean,
  now: number,
): Judgement {
  const { certificateExpiresAt: had, certificateAnnounced: announced, isDown: wasDown } = before;
  if (isOurNetwork)
    return {
      status: "unknown",
      failures: before.failures,
      isDown: wasDown,
      certificateExpiresAt: had,
      certificateAnnounced: announced,
      news: [],
    };
  // A check that came to no certificate says nothing about it.
  const certificateExpiresAt = result.certificateExpiresAt ?? had;
  const known = certificateExpiresAt?.getTime() === had?.getTime() ? announced : null;
  const due = announcedFor(certificateExpiresAt, now);
  const isCertificateNews = due !== null && (known === null || due < known);
  const failures = result.status === "down" ? before.failures + 1 : 0;
  const isDown = result.status === "down" && (wasDown || failures >= failuresToDown);
  return {
    status: result.status,
    failures,
    isDown,
    certificateExpiresAt,
    certificateAnnounced: isCertificateNews ? due : known,
    news: [
      ...(isDown === wasDown ? [] : [isDown ? ("down" as const) : ("up" as const)]),
      ...(isCertificateNews ? (["certificate"] as const) : []),
    ],
  };
}
