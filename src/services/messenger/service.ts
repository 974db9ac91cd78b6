/** Messenger: people on the local network, in real time. Document: `specs/messenger.md`. */
import { Elysia } from "elysia";
import type { Config } from "../../config.ts";
import type { Database } from "../../platform/database/connect.ts";
import type { Requests } from "../../platform/http/requests.ts";
import { hasGoodToken } from "../../platform/identity/bearer.ts";
import type { IdentityService } from "../../platform/identity/identity.ts";
import type { Publisher } from "../../platform/realtime/sockets.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import type { Service } from "../../platform/service.ts";
import type { Log } from "../../platform/telemetry/log.ts";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { envelopeAt } from "./envelope.ts";
import { Deliveries, frameOf } from "./live/events.ts";
import { Hub } from "./live/hub.ts";
import { Presence } from "./live/presence.ts";
import { Relay } from "./live/relay.ts";
import { Statuses } from "./live/statuses.ts";
import { History } from "./messages/history.ts";
import { ImageLinks } from "./messages/images.ts";
import { Members } from "./messages/members.ts";
import { Messages } from "./messages/messages.ts";
import { adminRoutes } from "./routes/admin.ts";
import { authRoutes } from "./routes/auth.ts";
import { imageRoutes } from "./routes/image.ts";
import { messageRoutes } from "./routes/messages.ts";
import type { MessengerParts } from "./routes/parts.ts";
import { userRoutes } from "./routes/users.ts";

export interface MessengerOptions {
  config: Config;
  log: Log;
  /** Now, in milliseconds. */
  now: () => number;
  database: Database;
  topics: Topics;
  publisher: Publisher;
  requests: Requests;
  identity: IdentityService;
  /** Key of the tokens; links to images are signed with one made from it. */
  tokenKey: Buffer;
}

/** An image of 5 MiB is 7 MB of base64. */
const largestBody = 8 * 1024 * 1024;

export function createMessenger(options: MessengerOptions): Service {
  const { config, log, now, database, topics, publisher, requests, identity, tokenKey } = options;
  const { sql, orm } = database;
  const links = new ImageLinks(tokenKey, now);
  const deliveries = new Deliveries(sql, links);
  const members = new Members(sql);
  const statuses = new Statuses(publisher);
  const presence = new Presence({ sql, topics, log, now, onStatus: (status) => statuses.tell(status) });
  const hub: Hub = new Hub({
    sessions: identity.sessions,
    deliveries,
    members,
    log,
    mostConnections: config.messenger.maxConnections,
    now,
    attendance: {
      arrived: (accountId) => presence.arrived(accountId),
      listens: (client) => statuses.include(client),
      left: (accountId) => presence.left(accountId),
    },
    onTyping(from, to, isTyping) {
      const frame = frameOf("typing", {
        user_id: from,
        sender_id: from,
        receiver_id: to,
        is_typing: isTyping,
      });
      hub.mention(to, frame);
      relay.typing(to, frame);
    },
  });
  const warn = (error: unknown) => log.warn({ reason: reasonOf(error) }, "other servers could not be told");
  const relay = new Relay({
    topics,
    isAlone: () => presence.isAlone,
    onTold: (accountId, seq) => hub.heardOf(accountId, seq),
    onTyping: (to, frame) => hub.mention(to, frame),
    onResync: () => void hub.catchUp().catch(warn),
    onError: warn,
  });
  const messages = new Messages({ sql, members, links, hub, relay });
  const parts: MessengerParts = {
    sql,
    orm,
    identity,
    requests,
    registration: config.registration,
    presence,
    hub,
    history: new History(sql),
    messages,
    links,
    now,
  };
  return {
    name: "Messenger",
    prefixes: ["/auth", "/users", "/messages", "/admin", "/ws"],
    envelope: envelopeAt(now),
    bodyLimit: largestBody,
    mayBeLarge: (request) => hasGoodToken(request, identity.sessions),
    routes: new Elysia()
      .use(authRoutes(parts))
      .use(userRoutes(parts))
      .use(messageRoutes(parts))
      .use(imageRoutes(parts))
      .use(adminRoutes(parts)),
    sockets: [hub.route],
    async start() {
      relay.start();
      await presence.start();
      hub.start();
    },
    disconnect: () => hub.disconnect(),
    async stop() {
      hub.stop();
      await presence.stop();
    },
  };
}
