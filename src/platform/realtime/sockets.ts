/** WebSockets on Bun's native upgrade: a table of routes, each of which makes a connection per client. */
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";

/** What a service does with one client's socket. */
export interface Connection {
  open?(socket: Socket): void | Promise<void>;
  message?(socket: Socket, message: string | Buffer): void | Promise<void>;
  /** The client answered a ping of the protocol (RFC 6455, 5.5.3). */
  pong?(): void;
  /** What was kept back for a slow client is on its way. */
  drain?(): void;
  close?(code: number, reason: string): void;
}

export type Socket = ServerWebSocket<Connection>;

export interface UpgradeRequest {
  request: Request;
  /** Path parameters by name, decoded. */
  params: Record<string, string>;
  /** Whose request it is: see `RequestInfo`. */
  from: { address: string; local: boolean };
}

export interface SocketRoute {
  /** Path with `:name` parameters. */
  path: string;
  /**
   * Makes the connection of a client. To refuse one, answer a connection that closes with the service's code: browsers see
   * codes only after the upgrade.
   */
  connect(upgrade: UpgradeRequest): Connection | Promise<Connection>;
}

/** Frames are small: files go by HTTP. */
const largestFrame = 64 * 1024;
/** A client that does not read is closed rather than silently losing messages. Above the largest frame that a service sends: an image of the Messenger. */
const largestBacklog = 16 * 1024 * 1024;
const idleSeconds = 120;

/** The handlers that `Bun.serve` takes; everything is up to the connection. */
export const socketHandler: WebSocketHandler<Connection> = {
  open: (socket) => socket.data.open?.(socket),
  message: (socket, message) => socket.data.message?.(socket, message),
  pong: (socket) => socket.data.pong?.(),
  drain: (socket) => socket.data.drain?.(),
  close: (socket, code, reason) => socket.data.close?.(code, reason),
  maxPayloadLength: largestFrame,
  backpressureLimit: largestBacklog,
  closeOnBackpressureLimit: true,
  idleTimeout: idleSeconds,
  sendPings: true,
};

type Match = (path: string) => Record<string, string> | null;

function matcherOf(path: string): Match {
  const names: string[] = [];
  const pattern = path.replace(/:(\w+)/g, (_, name: string) => {
    names.push(name);
    return "([^/]+)";
  });
  const expression = new RegExp(`^${pattern}/?$`);
  return (actual) => {
    const found = expression.exec(actual);
    if (!found) return null;
    try {
      return Object.fromEntries(
        names.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? "")]),
      );
    } catch {
      return null;
    }
  };
}

/**
 * Says the same to many: sockets subscribe to a channel, and what is published there in one turn of the event loop reaches each of them in one write. That
 * is an order of magnitude cheaper than a loop of sends.
 */
export class Publisher {
  private server: Server<Connection> | null = null;

  /** Called once the server listens; until then there is nobody to be told. */
  bind(server: Server<Connection>): void {
    this.server = server;
  }

  publish(channel: string, frame: string): void {
    this.server?.publish(channel, frame);
  }
}

/** The WebSocket routes of all services. */
export class Sockets {
  private readonly routes: { match: Match; route: SocketRoute }[];

  constructor(routes: SocketRoute[]) {
    this.routes = routes.map((route) => ({ match: matcherOf(route.path), route }));
  }

  /** Whether `path` is that of a WebSocket. */
  has(path: string): boolean {
    return this.routes.some(({ match }) => match(path) !== null);
  }

  /** Upgrades a request; false when its path is no WebSocket's or it is no proper upgrade. */
  async upgrade(
    request: Request,
    server: Server<Connection>,
    from: UpgradeRequest["from"],
  ): Promise<boolean> {
    const path = new URL(request.url).pathname;
    for (const { match, route } of this.routes) {
      const params = match(path);
      if (params) return server.upgrade(request, { data: await route.connect({ request, params, from }) });
    }
    return false;
  }
}
