/** One GET of a probe: a fresh connection to a checked address, and no more of the body than is needed. */
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { checkedLookup, checkLiteral, hostOf, type ProbePolicy } from "./addresses.ts";

/** One probe under way: what stops it, and when the certificate of the last TLS hop that showed one expires. */
export interface Watch {
  policy: ProbePolicy;
  stop: AbortSignal;
  certificateExpiresAt: Date | null;
}

/** What a hop answered; `location` is null unless it is a redirect. */
export interface Answer {
  status: number;
  location: string | null;
}

const mostBodyBytes = 64 * 1024;
const redirects = new Set([301, 302, 303, 307, 308]);
const headers = { "User-Agent": "Quintet", Accept: "*/*", "Accept-Encoding": "identity" };

/** Notes when the peer's certificate expires. A rejected one can be read only before its socket is destroyed. */
function noteCertificate(socket: Socket, watch: Watch): void {
  if (!(socket instanceof TLSSocket)) return;
  const note = () => {
    const expires = Date.parse(socket.getPeerCertificate()?.valid_to ?? "");
    if (!Number.isNaN(expires)) watch.certificateExpiresAt = new Date(expires);
  };
  const { destroy } = socket;
  socket.once("secureConnect", note);
  socket.destroy = (error) => {
    note();
    return destroy.call(socket, error);
  };
}

/** Servers write raw UTF-8 into Location, which node:http reads as Latin-1. */
function answerOf({ statusCode = 0, headers: { location } }: IncomingMessage): Answer {
  const isRedirect = redirects.has(statusCode) && location !== undefined;
  return { status: statusCode, location: isRedirect ? Buffer.from(location, "latin1").toString() : null };
}

/** Calls `done` at the end of the body, or once a probe has read as much as it reads. */
function readBody(response: IncomingMessage, done: () => void): void {
  let left = mostBodyBytes;
  response.on("end", done).on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) done();
  });
}

function request(url: URL, policy: ProbePolicy): http.ClientRequest {
  return (url.protocol === "https:" ? https : http).request({
    host: hostOf(url),
    port: url.port,
    path: url.pathname + url.search,
    headers: { ...headers, Host: url.host },
    agent: false,
    lookup: checkedLookup(policy),
    rejectUnauthorized: true,
  });
}

/**
 * Resolves after the body, or at once on a redirect; the connection is gone by then. Rejects with a
 * ProbeFailure for a denied address, the reason of `watch.stop`, or what the socket or the HTTP parser threw.
 */
export function get(url: URL, watch: Watch): Promise<Answer> {
  return new Promise((resolve, reject) => {
    watch.stop.throwIfAborted();
    checkLiteral(url, watch.policy);
    const sent = request(url, watch.policy);
    const settle = (outcome: () => void) => {
      watch.stop.removeEventListener("abort", onStop);
      outcome();
      sent.destroy();
    };
    const fail = (error: unknown) => settle(() => reject(error));
    const onStop = () => fail(watch.stop.reason);
    watch.stop.addEventListener("abort", onStop, { once: true });
    sent.on("error", fail).on("socket", (socket) => noteCertificate(socket, watch));
    // A 101 nobody asked for ends in no response.
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      settle(() => resolve(answerOf(response)));
    });
    sent.on("response", (response) => {
      const answer = answerOf(response);
      const done = () => settle(() => resolve(answer));
      response.on("error", fail);
      if (answer.location === null) readBody(response, done);
      else done();
    });
    sent.end();
  });
}
