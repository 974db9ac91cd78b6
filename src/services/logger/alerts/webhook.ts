/**
 * Alerts to a web address: `POST` with `{"alerts": […]}` as JSON. With a secret, `X-Quintet-Signature` is `sha256=` and the HMAC-SHA-256 of
 * `<X-Quintet-Timestamp>.<body>` in hex: whoever takes it in can tell that it is ours, and that it is not an old one sent again.
 */
import { createHmac } from "node:crypto";
import type { Projects } from "../projects.ts";
import type { Send } from "./outbox.ts";

export interface WebhookOptions {
  projects: Projects;
  /** Opens a sealed secret. */
  openSecret(sealed: string): string;
  /** Now, in milliseconds. */
  now: () => number;
}

const timeoutMilliseconds = 10_000;

function signatureOf(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;
}

/** The sender to web addresses. */
export function webhookSender({ projects, openSecret, now }: WebhookOptions): Send {
  return async (_recipient, notices, projectId) => {
    const target = projects.byId(projectId)?.webhookNotify;
    if (!target?.enabled) return { kind: "refused", reason: "веб-адрес не задан" };
    const body = JSON.stringify({ alerts: notices });
    const timestamp = String(Math.floor(now() / 1000));
    try {
      const response = await fetch(target.url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMilliseconds),
        headers: {
          "Content-Type": "application/json",
          "User-Agent": "Quintet",
          "X-Quintet-Timestamp": timestamp,
          ...(target.secret === null
            ? {}
            : { "X-Quintet-Signature": signatureOf(openSecret(target.secret), timestamp, body) }),
        },
        body,
      });
      await response.body?.cancel();
      if (response.ok) return { kind: "delivered" };
      const wait = Number(response.headers.get("retry-after"));
      return {
        kind: "retry",
        reason: `HTTP ${response.status}`,
        ...(wait > 0 && wait <= 3600 ? { afterSeconds: wait } : {}),
      };
    } catch (error) {
      return { kind: "retry", reason: error instanceof Error ? error.name : "нет ответа" };
    }
  };
}
