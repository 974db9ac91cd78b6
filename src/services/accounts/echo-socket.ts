/** `WS /api/v1/ws/:client_id`: echoes what a client says, and carries the broadcasts of admins. */
import { Failure } from "../../platform/http/failures.ts";
import { bearerToken } from "../../platform/identity/bearer.ts";
import type { Identity, Sessions } from "../../platform/identity/sessions.ts";
import type { Connection, Socket, SocketRoute, UpgradeRequest } from "../../platform/realtime/sockets.ts";
import type { Topics } from "../../platform/realtime/topics.ts";

/** Close codes: of our own, and of RFC 6455 for a kind of frame that is not taken and for a server that is full. */
const codes = { unauthenticated: 4001, binary: 1003, full: 1013 } as const;
const topic = "accounts-broadcast";
const mostConnections = 10_000;
/** What one notification between servers can hold, with room for its envelope. */
const largestBroadcast = 7_000;

export interface EchoOptions {
  sessions: Sessions;
  topics: Topics;
  /** Now, in milliseconds. */
  now: () => number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A frame that is a JSON object, else null: any other text is just text. */
function objectOf(text: string): Record<string, unknown> | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

const refuse = (code: number, detail: string): Connection => ({
  open(socket) {
    socket.send(JSON.stringify({ detail }));
    socket.close(code, detail);
  },
});

/** The sockets of all clients of this server. */
export class EchoSockets {
  private readonly clients = new Set<Socket>();
  private readonly options: EchoOptions;

  constructor(options: EchoOptions) {
    this.options = options;
  }

  start(): void {
    this.options.topics.subscribe<string>(topic, (frame) => {
      for (const socket of this.clients) socket.send(frame);
    });
  }

  get route(): SocketRoute {
    return { path: "/api/v1/ws/:client_id", connect: (upgrade) => this.connect(upgrade) };
  }

  private async connect({ request, params }: UpgradeRequest): Promise<Connection> {
    if (this.clients.size >= mostConnections) return refuse(codes.full, "Too many connections");
    const authorization = request.headers.get("authorization");
    const token =
      authorization === null ? new URL(request.url).searchParams.get("token") : bearerToken(authorization);
    const isAnonymous = authorization === null && token === null;
    const found = isAnonymous || token === null ? null : await this.options.sessions.identify(token);
    if (!isAnonymous && (found === null || found instanceof Failure))
      return refuse(codes.unauthenticated, "Not authenticated");
    return this.connection(params.client_id ?? "", found instanceof Failure ? null : found);
  }

  private connection(clientId: string, identity: Identity | null): Connection {
    let unwatch = () => {};
    let client: Socket | null = null;
    return {
      open: (socket) => {
        client = socket;
        this.clients.add(socket);
        const onEnd = () => socket.close(codes.unauthenticated, "Not authenticated");
        if (identity) unwatch = this.options.sessions.watch(identity.sessionId, onEnd);
      },
      message: async (socket, message) => {
        if (typeof message !== "string") return socket.close(codes.binary, "Text frames only");
        const object = objectOf(message);
        if (object?.type === "broadcast") return await this.broadcast(socket, object, identity);
        const text = object?.type === "chat" && typeof object.message === "string" ? object.message : message;
        socket.send(JSON.stringify({ client_id: clientId, message: text, type: "echo" }));
      },
      close: () => {
        unwatch();
        if (client) this.clients.delete(client);
      },
    };
  }

  private async broadcast(
    socket: Socket,
    frame: Record<string, unknown>,
    identity: Identity | null,
  ): Promise<void> {
    const role = identity?.account.role;
    if (role !== "admin") return this.complain(socket, "Not enough permissions");
    const data = isRecord(frame.data) ? frame.data : { message: frame.message ?? null };
    const text = this.frameOf("broadcast", data);
    if (Buffer.byteLength(JSON.stringify(text)) > largestBroadcast)
      return this.complain(socket, `A broadcast holds at most ${largestBroadcast} bytes`);
    await this.options.topics.broadcast(topic, text);
  }

  private complain(socket: Socket, detail: string): void {
    socket.send(this.frameOf("error", { detail }));
  }

  private frameOf(type: string, data: Record<string, unknown>): string {
    return JSON.stringify({ type, data, timestamp: new Date(this.options.now()).toISOString() });
  }
}
