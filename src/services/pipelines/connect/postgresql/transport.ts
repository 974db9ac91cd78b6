/** The connection under a session: TCP or a Unix socket, TLS as libpq's `sslmode` means it, writing that waits, reading that can be held back. */
import { isIP } from "node:net";
import { checkServerIdentity, getCACertificates } from "node:tls";
import type { Socket } from "bun";
import { reasonOf } from "../../../../platform/telemetry/startup-error.ts";
import { ConnectorError } from "../connector.ts";
import { int32 } from "./messages.ts";

export type SslMode = "disable" | "prefer" | "require" | "verify-ca" | "verify-full";

/** Where a server is. */
export interface Address {
  /** A name, an address, or the directory of a Unix socket, which begins with `/`. */
  host: string;
  port: number;
  sslMode: SslMode;
  /** Certificates in PEM that are trusted instead of the system's. */
  rootCertificate: string | null;
}

/** What is told of a connection. */
export interface Listener {
  /** Called with bytes that nobody else changes. */
  data(bytes: Uint8Array): void;
  /** Called once, when it is over for whatever reason. */
  closed(): void;
}

const sslRequest = Buffer.concat([int32(8), int32(80877103)]);
const yes = "S".charCodeAt(0);
const no = "N".charCodeAt(0);
const keepAliveMilliseconds = 60_000;
const wrongName = "ERR_TLS_CERT_ALTNAME_INVALID";

const unreachable = (why: string) => new ConnectorError("unreachable", why);
const loopback = /^(127\.|::1$|::ffff:127\.)/;

export class Transport {
  isEncrypted = false;
  private socket: Socket | null = null;
  private listener: Listener | null = null;
  private pending: { bytes: Uint8Array; at: number; done: PromiseWithResolvers<void> } | null = null;
  private isClosed = false;
  private isPaused = false;
  private isLocal = false;

  private constructor() {}

  /**
   * Connects and, as `address` wants, encrypts. Throws `ConnectorError` with code `unreachable`; throws the reason of `signal` when that comes first.
   */
  static async open(address: Address, signal: AbortSignal): Promise<Transport> {
    signal.throwIfAborted();
    const transport = new Transport();
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const abort = () => {
      transport.destroy();
      aborted.reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([transport.connect(address), aborted.promise]);
      return transport;
    } catch (error) {
      transport.destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Whether nobody listens on the way: TLS, a Unix socket, the loopback. */
  get isPrivate(): boolean {
    return this.isEncrypted || this.isLocal;
  }

  /** Begins to tell of what comes. */
  listen(listener: Listener): void {
    this.listener = listener;
    if (this.isClosed) listener.closed();
  }

  /** Resolves when the system has taken it all; one at a time. Throws `ConnectorError` when the connection is closed. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.pending) throw new Error("two writes at once");
    const written = this.isClosed ? -1 : (this.socket?.write(bytes) ?? -1);
    if (written < 0) throw unreachable("the connection was closed");
    if (written === bytes.length) return;
    this.pending = { bytes, at: written, done: Promise.withResolvers() };
    await this.pending.done.promise;
  }

  /** Leaves what comes in the system's buffers, so that the server has to wait. */
  pause(): void {
    if (this.isPaused || this.isClosed) return;
    this.isPaused = true;
    this.socket?.pause();
  }

  resume(): void {
    if (!this.isPaused || this.isClosed) return;
    this.isPaused = false;
    this.socket?.resume();
  }

  /** Sends `last` if there is room for it, and closes. */
  end(last: Uint8Array): void {
    if (!this.isClosed && !this.pending) this.socket?.write(last);
    this.close(() => this.socket?.end());
  }

  /** Has the write that waits fail now; the connection stays. */
  abandon(): void {
    this.pending?.done.reject(unreachable("the connection was closed"));
    this.pending = null;
  }

  /** Closes at once. */
  destroy(): void {
    this.close(() => this.socket?.terminate());
  }

  private close(how: () => void): void {
    if (this.isClosed) return;
    how();
    this.onClose();
  }

  private async connect({ host, port, sslMode, rootCertificate }: Address): Promise<void> {
    const isUnix = host.startsWith("/");
    const handlers = this.handlers(() => !this.isEncrypted);
    try {
      const socket = isUnix
        ? await Bun.connect({ unix: `${host}/.s.PGSQL.${port}`, socket: handlers })
        : await Bun.connect({ hostname: host, port, socket: handlers });
      this.socket = socket;
      if (this.isClosed) {
        socket.terminate();
        return;
      }
      this.isLocal = isUnix || loopback.test(socket.remoteAddress);
      if (!isUnix) socket.setKeepAlive(true, keepAliveMilliseconds);
    } catch (error) {
      throw new ConnectorError("unreachable", `the server cannot be reached: ${reasonOf(error)}`);
    }
    // libpq: no TLS over a Unix socket, whatever was asked for.
    if (isUnix || sslMode === "disable") return;
    const answer = await this.askForTls();
    if (answer === yes) await this.encrypt(host, sslMode, rootCertificate);
    else if (answer !== no) throw unreachable("what answers does not speak PostgreSQL's protocol");
    else if (sslMode !== "prefer")
      throw unreachable("the server does not offer TLS, which ssl_mode asks for");
  }

  /** Exactly one byte may come: more would be read as if it had been encrypted (CVE-2021-23222). */
  private async askForTls(): Promise<number> {
    const answered = Promise.withResolvers<Uint8Array>();
    this.listener = {
      data: answered.resolve,
      closed: () => answered.reject(unreachable("the server closed the connection")),
    };
    await this.write(sslRequest);
    const bytes = await answered.promise;
    this.listener = null;
    if (bytes.length !== 1) throw unreachable("the server sent more than an answer before TLS");
    return bytes[0] as number;
  }

  private async encrypt(host: string, mode: SslMode, rootCertificate: string | null): Promise<void> {
    // As libpq does: with a root certificate, `require` verifies it too.
    const verifies = mode.startsWith("verify") || (mode === "require" && rootCertificate !== null);
    const ca = rootCertificate ?? (verifies ? getCACertificates("default") : undefined);
    const shaken = Promise.withResolvers<void>();
    this.listener = {
      data: () => {},
      closed: () => shaken.reject(unreachable("the server broke off the TLS handshake")),
    };
    this.isEncrypted = true;
    const [, encrypted] = (this.socket as Socket).upgradeTLS<undefined>({
      tls: { rejectUnauthorized: false, ...(isIP(host) ? {} : { serverName: host }), ...(ca ? { ca } : {}) },
      socket: {
        ...this.handlers(() => true),
        handshake: (socket, isDone, fault) => {
          const code = fault && "code" in fault ? String(fault.code) : "";
          const why = refusalOf(mode, verifies, code, () =>
            checkServerIdentity(host, socket.getPeerCertificate()),
          );
          if (why === null && (isDone || fault)) shaken.resolve();
          else
            shaken.reject(
              unreachable(`the server's certificate is refused: ${why ?? "the handshake failed"}`),
            );
        },
      },
    });
    this.socket = encrypted;
    await shaken.promise;
    this.listener = null;
  }

  /** After an upgrade the bare socket goes on telling of what it receives: `isOurs` says no then. */
  private handlers(isOurs: () => boolean) {
    return {
      binaryType: "uint8array" as const,
      data: (_: Socket, bytes: Uint8Array) => {
        if (isOurs()) this.listener?.data(bytes);
      },
      drain: () => this.onDrain(),
      close: () => this.onClose(),
      error: () => this.destroy(),
    };
  }

  private onDrain(): void {
    const { pending } = this;
    if (!pending || !this.socket) return;
    const written = this.socket.write(pending.bytes, pending.at, pending.bytes.length - pending.at);
    if (written < 0) {
      this.onClose();
      return;
    }
    pending.at += written;
    if (pending.at < pending.bytes.length) return;
    this.pending = null;
    pending.done.resolve();
  }

  private onClose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.abandon();
    this.listener?.closed();
  }
}

/** Why a certificate is not accepted; null when it is. `fault` is what the TLS library found. The name is looked at here, because the library does so only for some hosts. */
function refusalOf(
  mode: SslMode,
  verifies: boolean,
  fault: string,
  checkName: () => Error | undefined,
): string | null {
  if (!verifies) return null;
  if (fault !== "" && fault !== wrongName) return fault;
  return mode === "verify-full" && checkName() ? wrongName : null;
}
