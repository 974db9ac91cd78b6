/** Which addresses a probe may connect to, decided on what a name resolves to and never on the name alone. */
import dns from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { type CidrList, parseCidrs, plainAddress } from "../../../platform/http/address.ts";
import { deniedFailure, dnsFailure, type ProbeFailure } from "./failures.ts";

/** Networks a probe must not reach, and those it may reach in spite of every prohibition. */
export interface ProbePolicy {
  allow: CidrList;
  deny: CidrList;
}

/** Link-local networks, where clouds keep the credentials of their machines, and the names of that service. */
const alwaysDenied = parseCidrs("169.254.0.0/16 fe80::/10");
const deniedNames = new Set(["metadata.google.internal", "metadata"]);

/** `::ffff:a9fe:a9fe` is how the URL parser writes an IPv4-mapped address; 64:ff9b::/96 is NAT64 (RFC 6052). */
function embeddedIpv4(address: string): string | null {
  const [, high, low] = /^(?:::ffff:|64:ff9b::)([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return null;
  const words = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return words.flatMap((word) => [word >> 8, word & 255]).join(".");
}

/** The addresses a connection to this one may end at: the kernel takes the unspecified address for loopback. */
function meanings(address: string): string[] {
  const plain = plainAddress(address);
  const ipv4 = embeddedIpv4(plain);
  if (ipv4 !== null) return [...meanings(ipv4), plain];
  if (plain === "0.0.0.0") return [plain, "127.0.0.1"];
  return plain === "::" ? [plain, "::1"] : [plain];
}

const isAllowed = (address: string, policy: ProbePolicy) =>
  meanings(address).some((meaning) => policy.allow.contains(meaning));

const isDenied = (address: string, policy: ProbePolicy) =>
  !isAllowed(address, policy) &&
  meanings(address).some((meaning) => alwaysDenied.contains(meaning) || policy.deny.contains(meaning));

/** The failure of connecting to an address when the policy denies it, otherwise null. */
function denial(address: string, policy: ProbePolicy): ProbeFailure | null {
  return isDenied(address, policy) ? deniedFailure(meanings(address)[0] ?? address) : null;
}

/** As `denial`, for all that a name resolved to: one denied address is enough. */
function denialOfName(name: string, addresses: string[], policy: ProbePolicy): ProbeFailure | null {
  const allAllowed = addresses.length > 0 && addresses.every((address) => isAllowed(address, policy));
  const plainName = name.toLowerCase().replace(/\.$/, "");
  if (deniedNames.has(plainName) && !allAllowed) return deniedFailure(plainName);
  for (const address of addresses) {
    const failure = denial(address, policy);
    if (failure) return failure;
  }
  return null;
}

/** A URL's host as sockets take it: an IPv6 address without its brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1");

/** Throws a ProbeFailure when the URL's host is a denied address: sockets look up names only. */
export function checkLiteral(url: URL, policy: ProbePolicy): void {
  const host = hostOf(url);
  const failure = isIP(host) === 0 ? null : denial(host, policy);
  if (failure) throw failure;
}

/**
 * A `lookup` for node:net that gives out checked addresses only, so that what was checked is what is connected
 * to. It fails with a ProbeFailure.
 */
export function checkedLookup(policy: ProbePolicy): LookupFunction {
  return (name, options, callback) => {
    dns.lookup(name, { all: true }, (error, found) => {
      const addresses = error ? [] : found;
      const [first] = addresses;
      const denied = denialOfName(
        name,
        addresses.map(({ address }) => address),
        policy,
      );
      if (denied) callback(denied, []);
      else if (!first) callback(dnsFailure(error?.code ?? "ENODATA"), []);
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
