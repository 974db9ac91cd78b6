/** What is known of a request before any route sees it: its id and whose it is. */
import { type CidrList, clientAddress, isLoopback, isLoopbackHost } from "./address.ts";

export interface RequestInfo {
  /** Given back as `X-Request-Id`; a well-formed one of the client's is kept. */
  id: string;
  /** The client's address, trusted proxies considered. */
  address: string;
  /** Sent from this machine to this machine, by a program or by our own pages. */
  local: boolean;
}

const wellFormedId = /^[\w.-]{1,64}$/;
const proxyHeaders = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/** Found out when it is asked for: few requests need all of it. */
class LazyInfo implements RequestInfo {
  private readonly request: Request;
  private readonly peer: () => string;
  private readonly trusted: CidrList;
  private knownId: string | null = null;
  private knownAddress: string | null = null;

  constructor(request: Request, peer: () => string, trusted: CidrList) {
    this.request = request;
    this.peer = peer;
    this.trusted = trusted;
  }

  get id(): string {
    if (this.knownId === null) {
      const given = this.request.headers.get("x-request-id");
      this.knownId = given !== null && wellFormedId.test(given) ? given : crypto.randomUUID();
    }
    return this.knownId;
  }

  get address(): string {
    const forwardedFor = () => this.request.headers.get("x-forwarded-for");
    this.knownAddress ??= clientAddress(this.peer(), forwardedFor, this.trusted);
    return this.knownAddress;
  }

  get local(): boolean {
    return isLocal(this.request, this.peer());
  }
}

export class Requests {
  private readonly known = new WeakMap<Request, RequestInfo>();
  private readonly trusted: CidrList;

  constructor(trusted: CidrList) {
    this.trusted = trusted;
  }

  /** Notes where a request came from; `peer` tells the other end of its connection. */
  begin(request: Request, peer: () => string): RequestInfo {
    const info = new LazyInfo(request, peer, this.trusted);
    this.known.set(request, info);
    return info;
  }

  /** What `begin` noted. */
  of(request: Request): RequestInfo {
    const info = this.known.get(request);
    if (!info) throw new Error("the request did not come through the listener");
    return info;
  }
}

/**
 * Whether a request is this machine's own. The Host must be a loopback name, else a foreign page whose name was pointed here
 * (DNS rebinding) would pass; a page of another origin does not pass, nor what a proxy on this machine hands on.
 */
function isLocal(request: Request, peer: string): boolean {
  const host = request.headers.get("host");
  if (!isLoopback(peer) || host === null || !isLoopbackHost(host)) return false;
  if (proxyHeaders.some((name) => request.headers.has(name))) return false;
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}`) return false;
  const site = request.headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}
