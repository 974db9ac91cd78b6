import { expect, test } from "bun:test";
import { clientAddress, isLoopback, isLoopbackHost, parseCidrs } from "../../../src/platform/http/address.ts";
import { Requests } from "../../../src/platform/http/requests.ts";

const nobody = parseCidrs("");
const proxies = parseCidrs("10.0.0.0/8, 192.168.1.1 fd00::/8");

test.each([
  ["203.0.113.9", null, "203.0.113.9"],
  ["::ffff:203.0.113.9", null, "203.0.113.9"],
  ["fe80::1%eth0", null, "fe80::1"],
  ["203.0.113.9", "1.2.3.4", "203.0.113.9"],
  ["10.1.1.1", "1.2.3.4", "1.2.3.4"],
  ["10.1.1.1", "6.6.6.6, 1.2.3.4, 192.168.1.1", "1.2.3.4"],
  ["fd00::5", "2001:DB8::1", "2001:db8::1"],
  ["10.1.1.1", "[2001:db8::1]", "2001:db8::1"],
  ["10.1.1.1", "10.2.2.2, 10.3.3.3", "10.2.2.2"],
  ["10.1.1.1", "1.2.3.4, unknown", "10.1.1.1"],
  ["10.1.1.1", "", "10.1.1.1"],
])("behind %s with %p: %s", (peer, forwarded, client) => {
  expect(clientAddress(peer, () => forwarded, proxies)).toBe(client);
  expect(clientAddress(peer, () => forwarded, nobody)).toBe(clientAddress(peer, () => null, nobody));
});

test("networks that are none are named", () => {
  for (const bad of ["10.0.0.0/99", "10.0.0", "x", "::/129", "1.2.3.4/", "1.2.3.4/8/8"])
    expect(() => parseCidrs(`127.0.0.1,${bad}`)).toThrow(bad);
});

test("loopback addresses and hosts", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    expect(isLoopback(address)).toBe(true);
  for (const address of ["128.0.0.1", "::2", "", "localhost"]) expect(isLoopback(address)).toBe(false);
  for (const host of ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
    expect({ host, local: isLoopbackHost(host) }).toEqual({ host, local: true });
  for (const host of [
    "localhost.evil.com",
    "127.0.0.1.nip.io",
    "evil.com",
    "0",
    "",
    ":8000",
    "2130706433",
    "0x7f.1",
    "localhost:999999",
    "localhost@evil.com",
    "[::1",
    "::1.evil.com",
  ])
    expect({ host, local: isLoopbackHost(host) }).toEqual({ host, local: false });
});

test("a request is local only when nothing about it is foreign", () => {
  const requests = new Requests(nobody);
  const local = (headers: Record<string, string>, peer = "127.0.0.1") =>
    requests.begin(new Request("http://x/", { headers: { Host: "localhost:8000", ...headers } }), () => peer)
      .local;
  expect(local({})).toBe(true);
  expect(local({ Origin: "http://localhost:8000", "Sec-Fetch-Site": "same-origin" })).toBe(true);
  expect(local({}, "10.0.0.1")).toBe(false);
  for (const foreign of [
    { Host: "evil.com" },
    { Origin: "http://evil.com" },
    { Origin: "null" },
    { Origin: "http://localhost:3000" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "X-Forwarded-For": "10.0.0.1" },
    { Forwarded: "for=10.0.0.1" },
    { Via: "1.1 proxy" },
  ])
    expect({ foreign, local: local(foreign as Record<string, string>) }).toEqual({ foreign, local: false });
});

test("a well-formed request id is kept, any other replaced", () => {
  const requests = new Requests(nobody);
  const id = (given: string) =>
    requests.begin(new Request("http://x/", { headers: { "X-Request-Id": given } }), () => "127.0.0.1").id;
  expect(id("req_abc-1.2")).toBe("req_abc-1.2");
  for (const bad of ["", "a b", "x".repeat(65), "<script>"]) expect(id(bad)).toMatch(/^[0-9a-f-]{36}$/);
});
