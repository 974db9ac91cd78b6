import type { AnyElysia } from "elysia";
import type { Envelope } from "./http/envelopes.ts";
import type { SealedColumn } from "./identity/resealing.ts";
import type { SocketRoute } from "./realtime/sockets.ts";
import type { Probe } from "./telemetry/health.ts";

/** The face that every service shows the server. */
export interface Service {
  name: string;
  /** Path prefixes whose failures have this service's shape; the longest that fits wins. */
  prefixes: string[];
  envelope: Envelope;
  /** Its REST routes, with whatever hooks they need, scoped to themselves. */
  routes: AnyElysia;
  /** Its WebSocket routes. */
  sockets: SocketRoute[];
  /** Largest request body in bytes. */
  bodyLimit: number;
  /** Who may send more than 64 KiB: nobody's large body is read before it is known whose it is. Everybody, when it is left out. */
  mayBeLarge?(request: Request): boolean | Promise<boolean>;
  /** Paths that take `application/x-www-form-urlencoded` beside JSON. */
  formPaths?: string[];
  /** Paths whose bodies are left to their routes, with limits of their own. */
  streamPaths?: string[];
  /** What it depends on beside the database, for `/health/detailed`. Anybody may ask, often: what costs something is asked seldom. */
  probes?: Record<string, Probe>;
  /** Where it keeps what is sealed. */
  sealed?: readonly SealedColumn[];
  /** Called once the database is there, before the first request. */
  start(): Promise<void>;
  /** Called when the server is about to end, while clients can still be told. */
  disconnect?(): void;
  stop(): Promise<void>;
}
