/** Whose request it is: the peer's address, or what trusted proxies say of it. */
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** A set of networks. */
export interface CidrList {
  contains(address: string): boolean;
}

/** An address without the zone of a link-local one and without the IPv6 form of IPv4 (`::ffff:10.0.0.1`). */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address;
  const text = address
    .trim()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/%.*$/, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return mapped && isIPv4(mapped) ? mapped : text.toLowerCase();
}

function addNetwork(list: BlockList, text: string): void {
  const [address = "", length, ...more] = text.split("/");
  const plain = plainAddress(address);
  const family = isIPv4(plain) ? "ipv4" : isIPv6(plain) ? "ipv6" : null;
  const bits = length === undefined ? (family === "ipv4" ? 32 : 128) : Number(length);
  const most = family === "ipv4" ? 32 : 128;
  if (!family || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)) || bits > most)
    throw new Error(`not an address or network: ${text}`);
  list.addSubnet(plain, bits, family);
}

/** Networks separated by commas or blanks: addresses, or CIDR (RFC 4632). Throws an Error that names the bad one. */
export function parseCidrs(text: string): CidrList {
  const list = new BlockList();
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  for (const entry of entries) addNetwork(list, entry);
  return {
    contains(address) {
      if (entries.length === 0) return false;
      const plain = plainAddress(address);
      const version = isIP(plain);
      return version !== 0 && list.check(plain, version === 4 ? "ipv4" : "ipv6");
    },
  };
}

/**
 * The client's address: the peer's, unless the peer is a trusted proxy; then the right-most of `X-Forwarded-For` that is not
 * itself trusted. A forwarded entry that is no address ends the search: the proxy that wrote it is the client.
 */
export function clientAddress(peer: string, forwardedFor: () => string | null, trusted: CidrList): string {
  let client = plainAddress(peer);
  if (!trusted.contains(client)) return client;
  const hops = forwardedFor()?.split(",").reverse() ?? [];
  for (const hop of hops) {
    if (!trusted.contains(client)) return client;
    const address = plainAddress(hop);
    if (isIP(address) === 0) return client;
    client = address;
  }
  return client;
}

const loopback = parseCidrs("127.0.0.0/8 ::1");

/** Whether an address is this machine's own. */
export const isLoopback = (address: string): boolean => loopback.contains(address);

/**
 * Whether a `Host` header names this machine as such. Any other name may be a foreign page's that was pointed here (DNS
 * rebinding).
 */
export function isLoopbackHost(host: string): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.exec(host.trim())?.[1];
  if (name === undefined || name === "") return false;
  return name.toLowerCase() === "localhost" || isLoopback(plainAddress(name));
}
