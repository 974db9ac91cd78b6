/** The one port: WebSocket upgrades, REST, and the headers that every answer carries. */

import type { Server } from "bun";
import type { AnyElysia } from "elysia";
import { type Connection, type Sockets, socketHandler } from "../realtime/sockets.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf, StartupError } from "../telemetry/startup-error.ts";
import type { Requests } from "./requests.ts";

const largestBody = 64 * 1024 * 1024;

/** On every answer that does not say otherwise itself: nothing here is a page to be framed, sniffed or cached. */
const defaultHeaders: [string, string][] = [
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "DENY"],
  ["Referrer-Policy", "no-referrer"],
  ["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"],
  ["Cache-Control", "no-store"],
];

function finish(response: Response, id: string): Response {
  const { headers } = response;
  headers.set("X-Request-Id", id);
  for (const [name, value] of defaultHeaders) if (!headers.has(name)) headers.set(name, value);
  return response;
}

/** HEAD is GET without the body (RFC 9110, 9.3.2), for every route. */
async function answerHead(
  request: Request,
  handle: (request: Request) => Promise<Response>,
): Promise<Response> {
  const response = await handle(new Request(request.url, { method: "GET", headers: request.headers }));
  await response.body?.cancel();
  return new Response(null, { status: response.status, headers: response.headers });
}

export interface ListenOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  app: AnyElysia;
  sockets: Sockets;
  requests: Requests;
  log: Log;
}

/** Begins to take requests. Throws StartupError when the address cannot be had. */
export function listen({ host, port, app, sockets, requests, log }: ListenOptions): Server<Connection> {
  async function answer(request: Request, peer: string): Promise<Response> {
    const { id, address } = requests.begin(request, peer);
    if (!log.isLevelEnabled("debug")) return finish(await app.fetch(request), id);
    const start = performance.now();
    const response = finish(await app.fetch(request), id);
    const milliseconds = Math.round((performance.now() - start) * 100) / 100;
    const { pathname } = new URL(request.url);
    log.debug(
      {
        requestId: id,
        address,
        method: request.method,
        path: pathname,
        status: response.status,
        milliseconds,
      },
      "request",
    );
    return response;
  }

  try {
    const server = Bun.serve<Connection>({
      hostname: host,
      port,
      // A second copy would otherwise share the port without a word.
      reusePort: false,
      maxRequestBodySize: largestBody,
      idleTimeout: 60,
      websocket: socketHandler,
      async fetch(request, server) {
        const peer = server.requestIP(request)?.address ?? "";
        if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
          const { address, local } = requests.begin(request, peer);
          if (await sockets.upgrade(request, server, { address, local })) return undefined;
        }
        if (request.method === "HEAD") return await answerHead(request, (get) => answer(get, peer));
        return await answer(request, peer);
      },
    });
    return server;
  } catch (error) {
    throw new StartupError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`);
  }
}
