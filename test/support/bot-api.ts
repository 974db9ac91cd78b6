/** A fake Telegram Bot API that speaks the real wire format, for bots that are given its address as `apiRoot`. */
import { STATUS_CODES } from "node:http";

type Body = Record<string, unknown>;

/** A message that the bot sent. */
export interface SentMessage {
  chatId: string;
  text: string;
  parseMode: string | null;
  /** When it was accepted, in milliseconds. */
  at: number;
}

/** How a call fails. The description is the one that Telegram gives for the status unless it is named. */
export interface BotApiFailure {
  status: number;
  /** Seconds. */
  retryAfter?: number;
  description?: string;
}

/** A running fake. */
export interface BotApi {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  root: string;
  /** The `sendMessage` calls that were accepted, in order. */
  messages: SentMessage[];
  /** All calls, refused ones too; methods as the caller spelt them, values of queries and forms as strings. */
  calls: { method: string; body: Body }[];
  /** Awaited between accepting a `sendMessage` and answering it: a test may make it slow, or never end. */
  beforeAnswer: () => Promise<unknown>;
  /** A user's text message in a private chat, delivered by the next `getUpdates`. */
  say(chatId: number, text: string): void;
  /** Makes the next `sendMessage` calls fail; further failures queue up behind. */
  failNext(count: number, failure: BotApiFailure): void;
  stop(): Promise<void>;
}

/** The right token unless a test names another. */
export const botToken = "123456:token-of-the-tests";

const succeed = (result: unknown) => Response.json({ ok: true, result });

/** Parts that are undefined stay out of the JSON. */
function fail({ status, retryAfter, description }: BotApiFailure): Response {
  const usual = `${STATUS_CODES[status]}${retryAfter === undefined ? "" : `: retry after ${retryAfter}`}`;
  const parameters = retryAfter === undefined ? undefined : { retry_after: retryAfter };
  return Response.json(
    { ok: false, error_code: status, description: description ?? usual, parameters },
    { status },
  );
}

const badRequest = (reason: string) => fail({ status: 400, description: `Bad Request: ${reason}` });

const conflict =
  "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

/** The updates that no `getUpdates` has confirmed, and the one request that may wait for more. */
class Updates {
  pending: { update_id: number; message: object }[] = [];
  #nextId = 700_000_001;
  /** Ends the request that waits, if one does. */
  wake: (failure: BotApiFailure | null) => void = () => {};

  add(message: object): void {
    this.pending.push({ update_id: this.#nextId++, message });
    this.wake(null);
  }

  /** Answers a `getUpdates`; an earlier one that still waits loses to it. */
  async get(body: Body, gone: AbortSignal): Promise<Response> {
    this.wake({ status: 409, description: conflict });
    const offset = Number(body.offset) || 0;
    this.pending =
      offset < 0 ? this.pending.slice(offset) : this.pending.filter(({ update_id }) => update_id >= offset);
    const failure = this.pending.length > 0 ? null : await this.#wait(Number(body.timeout) || 0, gone);
    return failure ? fail(failure) : succeed(this.pending.slice(0, Number(body.limit) || 100));
  }

  async #wait(seconds: number, gone: AbortSignal): Promise<BotApiFailure | null> {
    const { promise, resolve } = Promise.withResolvers<BotApiFailure | null>();
    const timer = setTimeout(resolve, seconds * 1000, null);
    gone.addEventListener("abort", () => resolve(null));
    this.wake = resolve;
    return await promise.finally(() => clearTimeout(timer));
  }
}

/** The parameters of a call: of the query and of a JSON, form or multipart body together. */
async function readParameters(request: Request): Promise<Body> {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (!request.body) return query;
  const isJson = request.headers.get("Content-Type")?.startsWith("application/json");
  const body = isJson ? ((await request.json()) as Body) : Object.fromEntries(await request.formData());
  return { ...query, ...body };
}

const seconds = () => Math.floor(Date.now() / 1000);
const privateChat = (id: number) => ({ id, type: "private", first_name: `User ${id}` });

/** Negative numbers are groups, names are channels. */
function chatOf(chatId: string): object {
  const id = Number(chatId);
  if (Number.isNaN(id)) return { id: -1_001_000_000_001, type: "channel", title: chatId };
  return id > 0 ? privateChat(id) : { id, type: "supergroup", title: `Group ${id}` };
}

/** A user's message; without the entity bots do not see a command. */
function messageFrom(id: number, text: string): object {
  const chat = privateChat(id);
  const from = { id, is_bot: false, first_name: chat.first_name };
  const length = /^\/\w+(@\w+)?/.exec(text)?.[0].length;
  const entities = length === undefined ? undefined : [{ type: "bot_command", offset: 0, length }];
  return { from, chat, date: seconds(), text, entities };
}

/** Starts a fake on a free port. A token other than its own is answered 401. */
export function startBotApi({ token = botToken, username = "test_bot" } = {}): BotApi {
  const [messages, calls]: [BotApi["messages"], BotApi["calls"]] = [[], []];
  const failures: BotApiFailure[] = [];
  const updates = new Updates();
  const bot = { id: Number.parseInt(token, 10) || 1, is_bot: true, first_name: "Test", username };
  let messageId = 1;

  async function sendMessage({ chat_id, text, parse_mode }: Body): Promise<Response> {
    const failure = failures.shift();
    if (failure) return fail(failure);
    const chatId = String(chat_id ?? "");
    if (!/^(@\w+|-?\d+)$/.test(chatId)) return badRequest("chat not found");
    if (typeof text !== "string" || text.trim() === "") return badRequest("message text is empty");
    const parseMode = typeof parse_mode === "string" ? parse_mode : null;
    messages.push({ chatId, text, parseMode, at: Date.now() });
    await api.beforeAnswer();
    return succeed({ message_id: messageId++, from: bot, chat: chatOf(chatId), date: seconds(), text });
  }

  function answer(method: string, body: Body, gone: AbortSignal): Response | Promise<Response> {
    const name = method.toLowerCase();
    if (name === "getme") return succeed(bot);
    if (name === "getupdates") return updates.get(body, gone);
    if (name === "sendmessage") return sendMessage(body);
    if (name === "deletewebhook" && String(body.drop_pending_updates) === "true") updates.pending = [];
    return succeed(true);
  }

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    // Long polls last longer than Bun lets a connection idle.
    idleTimeout: 0,
    async fetch(request) {
      const [, given, method] = /^\/bot([^/]+)\/(\w+)$/.exec(new URL(request.url).pathname) ?? [];
      if (!given || !method) return fail({ status: 404 });
      const body = await readParameters(request).catch(() => null);
      if (!body) return badRequest("can't parse the request");
      calls.push({ method, body });
      return given === token ? answer(method, body, request.signal) : fail({ status: 401 });
    },
  });

  const api: BotApi = {
    root: `http://127.0.0.1:${server.port}`,
    messages,
    calls,
    beforeAnswer: async () => {},
    say: (chatId, text) => updates.add({ message_id: messageId++, ...messageFrom(chatId, text) }),
    failNext: (count, failure) => void failures.push(...Array<BotApiFailure>(count).fill(failure)),
    stop: () => server.stop(true),
  };
  return api;
}
