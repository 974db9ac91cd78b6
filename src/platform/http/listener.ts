/** The one port: WebSocket upgrades, REST, and the headers that every answer carries. */

import type { Server } from "bun";
import type { AnyElysia } from "elysia";
import { type Connection, type Sockets, socketHandler } from "../realtime/sockets.ts";
import type { Log } from "../telemetry/log.ts";
import { reasonOf, StartupError } from "../telemetry/startup-error.ts";
import type { Requests } from "./requests.ts";

const largestBody = 64 * 1024 * 1024;

/** HEAD is GET without the body (RFC 9110, 9.3.2), for every route. */
async function answerHead(
  request: Request,
  handle: (request: Request) => Response | Promise<Response>,
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
  async function answerLogged(request: Request): Promise<Response> {
    const { id, address } = requests.of(request);
    const start = performance.now();
    const response = await app.fetch(request);
    const milliseconds = Math.round((performance.now() - start) * 100) / 100;
    const { method, url } = request;
    const path = new URL(url).pathname;
    log.debug({ requestId: id, address, method, path, status: response.status, milliseconds }, "request");
    return response;
  }

  function answer(request: Request, peer: () => string): Response | Promise<Response> {
    requests.begin(request, peer);
    return log.isLevelEnabled("debug") ? answerLogged(request) : app.fetch(request);
  }

  async function upgradeOrAnswer(
    request: Request,
    server: Server<Connection>,
    peer: () => string,
  ): Promise<Response | undefined> {
    const { address, local } = requests.begin(request, peer);
    if (await sockets.upgrade(request, server, { address, local })) return undefined;
    return await answer(request, peer);
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
      fetch(request, server) {
        const peer = () => server.requestIP(request)?.address ?? "";
        if (request.method === "GET" && request.headers.get("upgrade")?.toLowerCase() === "websocket")
          return upgradeOrAnswer(request, server, peer);
        if (request.method === "HEAD") return answerHead(request, (get) => answer(get, peer));
        return answer(request, peer);
      },
    });
    return server;
  } catch (error) {
    throw new StartupError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`);
  }
}
