/** A client of the Messenger: HTTP and the live connection. */
import { type Answer, ask } from "./accounts.ts";

export interface Person {
  id: number;
  token: string;
}

export const password = "Passw0rd!";

/** Registers somebody and logs in. */
export async function join(url: string, username: string): Promise<Person> {
  const body = { username, password };
  const registered = await ask(url, "POST", "/auth/register", { body });
  if (registered.status !== 201) throw new Error(JSON.stringify(registered.body));
  return { id: registered.body.data.id, token: await enter(url, username) };
}

/** Logs in once more; answers the new session's token. */
export async function enter(url: string, username: string): Promise<string> {
  const { status, body } = await ask(url, "POST", "/auth/login", { body: { username, password } });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.data.access_token;
}

/** Sends a text. */
export const say = (
  url: string,
  from: Person,
  to: Person,
  content: string,
  more: object = {},
): Promise<Answer> =>
  ask(url, "POST", "/messages/", {
    token: from.token,
    body: { receiver_id: to.id, content, message_type: "text", ...more },
  });

export interface LiveEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape.
  data: any;
  timestamp?: string;
}

export interface Live {
  socket: WebSocket;
  /** Everything that came so far. */
  events: LiveEvent[];
  /** The next event of a kind that was not taken yet. */
  next(event: string): Promise<LiveEvent>;
  /** Contents of the messages that came so far. */
  said(): string[];
  closed: Promise<{ code: number; reason: string }>;
  /** Closes it and waits until it is closed. */
  close(): Promise<void>;
}

/** Opens a socket; `query` begins with `?`. Nothing is waited for. */
export function open(url: string, path: string, headers: Record<string, string> = {}): Live {
  const socket = new WebSocket(`${url.replace("http", "ws")}${path}`, { headers } as never);
  const events: LiveEvent[] = [];
  const taken = new Set<LiveEvent>();
  const waiting = new Set<() => void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.onmessage = ({ data }) => {
    const text = String(data);
    events.push(text.startsWith("{") ? JSON.parse(text) : { event: text, data: null });
    for (const wake of waiting) wake();
  };
  socket.onclose = ({ code, reason }) => {
    closed.resolve({ code, reason });
    for (const wake of waiting) wake();
  };
  return {
    socket,
    events,
    async next(event) {
      for (;;) {
        const found = events.find((each) => each.event === event && !taken.has(each));
        if (found) {
          taken.add(found);
          return found;
        }
        if (socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${event}`);
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
        });
        waiting.clear();
      }
    },
    said: () => events.filter(({ event }) => event === "new_message").map(({ data }) => data.content),
    closed: closed.promise,
    async close() {
      socket.close(1000);
      await closed.promise;
    },
  };
}

/** Connects somebody and waits for the acknowledgement. */
export async function connect(url: string, { id, token }: Person, query = ""): Promise<Live> {
  const live = open(url, `/ws/${id}${query}`, { Authorization: `Bearer ${token}` });
  await live.next("connection_ack");
  return live;
}
