/** The way into a server: connection, startup message, authentication, within a time limit; and the request that ends what a session does. */
import { ConnectorError } from "../connector.ts";
import { authenticate, type Login } from "./authentication.ts";
import { Channel } from "./channel.ts";
import { int32, PostgresError, text, types } from "./messages.ts";
import { type Address, Transport } from "./transport.ts";

export interface SessionOptions extends Address, Login {
  database: string;
}

/** How far a connection got. */
export interface Progress {
  isConnected: boolean;
  isLoggedIn: boolean;
}

const connectMilliseconds = 10_000;
const cancelMilliseconds = 1_000;
const protocol = 196_608;
const cancelRequest = 80_877_102;
const notAuthorized = "28000";

const settings = {
  application_name: "quintet",
  client_encoding: "UTF8",
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  extra_float_digits: "3",
};

/**
 * Connects and logs in, within 10 s. From then on `signal` ends the session on both sides. Throws `ConnectorError` when the server cannot be reached, `PostgresError` when
 * it refuses, the reason of `signal` when that comes first.
 */
export async function logIn(
  options: SessionOptions,
  signal: AbortSignal,
  progress?: Progress,
): Promise<Channel> {
  try {
    return await attempt(options, signal, progress);
  } catch (error) {
    // libpq's `prefer`: without TLS, when it fails or the server does not let us in that way.
    const isRefused = error instanceof PostgresError && error.code === notAuthorized;
    const isBroken = error instanceof ConnectorError && error.message.includes("TLS");
    if (options.sslMode !== "prefer" || signal.aborted || !(isRefused || isBroken)) throw error;
    return await attempt({ ...options, sslMode: "disable" }, signal, progress);
  }
}

async function attempt(options: SessionOptions, signal: AbortSignal, progress?: Progress): Promise<Channel> {
  const late = AbortSignal.timeout(connectMilliseconds);
  let channel: Channel | null = null;
  const expire = () => void channel?.break(late.reason);
  try {
    const transport = await Transport.open(options, AbortSignal.any([signal, late]));
    if (progress) progress.isConnected = true;
    let key: Buffer | null = null;
    const cancel = async () => {
      if (key) await requestCancel(options, transport.isEncrypted, key);
    };
    channel = new Channel({ transport, signal, secrets: [options.password, options.user], cancel });
    late.addEventListener("abort", expire, { once: true });
    await introduce(channel, options, transport.isPrivate);
    if (progress) progress.isLoggedIn = true;
    await channel.cycle(({ type, body }) => {
      if (type === types.key) key = Buffer.from(body);
    });
    channel.trust();
    return channel;
  } catch (error) {
    channel?.destroy();
    if (signal.aborted) throw signal.reason;
    if (late.aborted) throw new ConnectorError("unreachable", "the server did not answer within 10 s");
    throw error;
  } finally {
    late.removeEventListener("abort", expire);
  }
}

async function introduce(channel: Channel, options: SessionOptions, isPrivate: boolean): Promise<void> {
  const { user, password, database } = options;
  const pairs = Object.entries({ user, database, ...settings })
    .flat()
    .map(text);
  const body = Buffer.concat([int32(protocol), ...pairs, Buffer.from([0])]);
  await channel.send(Buffer.concat([int32(body.length + 4), body]));
  const next = async () => {
    const answer = await channel.next();
    if (answer.type === types.error) throw channel.errorOf(answer.body);
    return answer;
  };
  await authenticate({ next, send: (bytes) => channel.send(bytes), isPrivate }, { user, password });
}

/** Asks the server over a connection of its own to end what the session of `key` does. It never throws: cutting the session's connection ends it too, only later. */
async function requestCancel(options: SessionOptions, isEncrypted: boolean, key: Buffer): Promise<void> {
  const limit = AbortSignal.timeout(cancelMilliseconds);
  try {
    const transport = await Transport.open(
      { ...options, sslMode: isEncrypted ? options.sslMode : "disable" },
      limit,
    );
    const closed = Promise.withResolvers<void>();
    limit.addEventListener("abort", () => closed.resolve(), { once: true });
    transport.listen({ data: () => {}, closed: closed.resolve });
    await transport.write(Buffer.concat([int32(8 + key.length), int32(cancelRequest), key]));
    // The server closes the connection after it has sent the signal.
    await closed.promise;
    transport.destroy();
  } catch {
    // As said above.
  }
}
