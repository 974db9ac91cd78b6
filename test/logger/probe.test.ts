import { afterEach, expect, mock, spyOn, test } from "bun:test";
import dns from "node:dns";
import net, { type AddressInfo, type Socket } from "node:net";
import { parseCidrs } from "../../src/platform/http/address.ts";
import { checkUrl, type ProbePolicy, type ProbeResult, probe } from "../../src/services/logger/ping/probe.ts";
import { needs } from "../needs.ts";
import { type Certificate, selfSigned, serveHttps, trust } from "../support/https.ts";

const policy = (deny = "", allow = ""): ProbePolicy => ({ allow: parseCidrs(allow), deny: parseCidrs(deny) });
const open = policy();
const stops: (() => unknown)[] = [];

afterEach(() => {
  mock.restore();
  for (const stop of stops.splice(0)) stop();
});

/** A server on the loopback that answers as `answer` does; `hits` are the requests it saw. */
function serve(answer: (request: Request) => Response | Promise<Response>) {
  const hits: { method: string; url: string; headers: object }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 30,
    fetch(request) {
      hits.push({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers) });
      return answer(request);
    },
  });
  stops.push(() => server.stop(true));
  return { port: server.port, url: `http://127.0.0.1:${server.port}/`, hits };
}

/** A server that gives each connection to `speak` once the request has come. */
async function serveRaw(speak: (socket: Socket) => void): Promise<{ port: number; url: string }> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {}).once("data", () => speak(socket));
  });
  stops.push(() => server.close());
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/` };
}

/** Makes the names resolve to the given addresses, and every other name to none. */
function resolveTo(names: Record<string, string[]>) {
  const lookup = (name: string, _: unknown, callback: (error: Error | null, found?: unknown) => void) => {
    const found = names[name]?.map((address) => ({ address, family: net.isIP(address) }));
    const missing = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND", syscall: "getaddrinfo" });
    setTimeout(() => (found ? callback(null, found) : callback(missing)), 1);
  };
  return spyOn(dns, "lookup").mockImplementation(lookup as unknown as typeof dns.lookup);
}

const redirectTo = (location: string, status = 302) =>
  new Response(null, { status, headers: { Location: location } });

const denied = (address: string) => ({
  status: "down",
  httpStatus: null,
  error: `Адрес запрещён: ${address}`,
  isNetworkError: false,
});

test.each([
  [200, "ok", null],
  [204, "ok", null],
  [300, "ok", null],
  [302, "ok", null],
  [304, "ok", null],
  [404, "degraded", "HTTP 404"],
  [429, "degraded", "HTTP 429"],
  [503, "down", "HTTP 503"],
] as const)("an answer %d is %s", async (httpStatus, status, error) => {
  const { url } = serve(() => new Response(null, { status: httpStatus }));
  const { responseTimeMs, ...result } = await probe(url, open);
  expect(result).toEqual({ status, httpStatus, error, isNetworkError: false, certificateExpiresAt: null });
  expect(responseTimeMs).toBeWithin(0, 3000);
});

test("a plain GET of the whole path, on a connection of its own", async () => {
  const { url, port, hits } = serve(() => new Response("x"));
  await probe(`${url}a%20b/ё?q=1&r=%2F#fragment`, open);
  const [hit] = hits;
  expect(hit?.method).toBe("GET");
  expect(hit?.url).toBe(`${url}a%20b/%D1%91?q=1&r=%2F`);
  expect(hit?.headers).toEqual({
    accept: "*/*",
    "accept-encoding": "identity",
    connection: "close",
    host: `127.0.0.1:${port}`,
    "user-agent": "Quintet",
  });
});

test.each([
  ["http://169.254.169.254/latest", "169.254.169.254"],
  ["http://2852039166/", "169.254.169.254"],
  ["http://0xa9.0xfe.1/", "169.254.0.1"],
  ["http://[::ffff:169.254.169.254]/", "169.254.169.254"],
  ["http://[64:ff9b::169.254.169.254]/", "169.254.169.254"],
  ["http://[fe80::1]/", "fe80::1"],
  ["https://METADATA.google.internal./", "metadata.google.internal"],
  ["http://metadata/", "metadata"],
])("%s is denied with an empty policy", async (url, address) => {
  resolveTo({ metadata: ["127.0.0.1"] });
  expect(await probe(url, open)).toMatchObject(denied(address));
});

test.each([
  ["2130706433", "127.0.0.1"],
  ["127.1", "127.0.0.1"],
  ["0", "0.0.0.0"],
  ["[::ffff:127.0.0.1]", "127.0.0.1"],
  ["[::ffff:0.0.0.0]", "0.0.0.0"],
  ["[::]", "::"],
  ["[::1]", "::1"],
  ["localhost", "127.0.0.1"],
])("%s is loopback: denied when loopback is, reached when it is allowed", async (host, address) => {
  const { port, hits } = serve(() => new Response("x"));
  resolveTo({ localhost: ["127.0.0.1"] });
  const url = `http://${host}:${port}/`;
  expect(await probe(url, policy("127.0.0.0/8 ::1"))).toMatchObject(denied(address));
  expect(hits).toEqual([]);
  const { error } = await probe(url, policy("127.0.0.0/8 ::1", "127.0.0.1 ::1"));
  expect(error).not.toStartWith("Адрес");
  if (net.isIPv4(address)) expect({ error, hits: hits.length }).toEqual({ error: null, hits: 1 });
});

test("one denied address among those of a name is enough", async () => {
  const { port, hits } = serve(() => new Response("x"));
  resolveTo({ both: ["127.0.0.1", "169.254.7.7"], mapped: ["127.0.0.1", "::ffff:a9fe:1"] });
  expect(await probe(`http://both:${port}/`, open)).toMatchObject(denied("169.254.7.7"));
  expect(await probe(`http://mapped:${port}/`, open)).toMatchObject(denied("169.254.0.1"));
  expect(hits).toEqual([]);
});

test("a name is resolved once for each hop, and any of its addresses may answer", async () => {
  const { port } = serve(() => new Response("x"));
  const lookup = resolveTo({ name: ["::1", "127.0.0.1"], metadata: ["127.0.0.1"] });
  expect(await probe(`http://name:${port}/`, open)).toMatchObject({ status: "ok" });
  expect(lookup).toHaveBeenCalledTimes(1);
  expect(await probe(`http://metadata:${port}/`, policy("", "127.0.0.1"))).toMatchObject({ status: "ok" });
});

test("redirects are followed, each kind of them", async () => {
  const { url, hits } = serve((request) => {
    const status = Number(new URL(request.url).pathname.slice(1));
    return status === 200 ? new Response("x") : redirectTo("200", status);
  });
  for (const status of [301, 302, 303, 307, 308])
    expect(await probe(`${url}${status}`, open)).toMatchObject({
      status: "ok",
      httpStatus: 200,
      error: null,
    });
  expect(hits.map(({ method }) => method)).toEqual(Array(10).fill("GET"));
});

test("ten redirects are followed, not eleven", async () => {
  const { url, hits } = serve((request) => {
    const left = Number(new URL(request.url).pathname.slice(1));
    return left === 0 ? new Response("x") : redirectTo(`/${left - 1}`);
  });
  expect(await probe(`${url}10`, open)).toMatchObject({ status: "ok", httpStatus: 200 });
  expect(hits).toHaveLength(11);
  expect(await probe(`${url}11`, open)).toMatchObject({
    status: "down",
    error: "Слишком много перенаправлений",
    isNetworkError: false,
  });
  expect(hits).toHaveLength(22);
});

test("every hop is checked", async () => {
  const inner = serve(() => new Response("secret"));
  resolveTo({ inner: ["127.0.0.2"], meta: ["169.254.169.254"] });
  const via = async (location: string) =>
    (await probe(serve(() => redirectTo(location)).url, policy("127.0.0.2"))).error;
  expect(await via("http://169.254.169.254/?token=1")).toBe("Адрес запрещён: 169.254.169.254");
  expect(await via("//meta/")).toBe("Адрес запрещён: 169.254.169.254");
  expect(await via(`http://inner:${inner.port}/`)).toBe("Адрес запрещён: 127.0.0.2");
  expect(await via("file:///etc/passwd")).toBe("Перенаправление: Наблюдать можно только за http и https");
  expect(await via("http://u:hunter2@localhost/")).toBe(
    "Перенаправление: Имя и пароль в адресе не допускаются",
  );
  expect(await via("http://")).toBe("Перенаправление: Адрес не разобран или в нём нет узла");
  expect(inner.hits).toEqual([]);
});

test("a Location in raw UTF-8, with a body nobody waits for", async () => {
  const { url, hits } = serve(() => new Response("x"));
  const from = await serveRaw((socket) =>
    socket.write(`HTTP/1.1 302 Found\r\nLocation: ${url}путь\r\nContent-Length: 9999\r\n\r\n`),
  );
  expect(await probe(from.url, open)).toMatchObject({ status: "ok" });
  expect(hits[0]?.url).toBe(`${url}%D0%BF%D1%83%D1%82%D1%8C`);
});

test("an endless body is left after 64 KiB", async () => {
  const closed = Promise.withResolvers<void>();
  const { url } = await serveRaw((socket) => {
    socket.on("close", () => closed.resolve());
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const pour = () => {
      while (socket.writable && socket.write(Buffer.alloc(16 * 1024)));
    };
    socket.on("drain", pour);
    pour();
  });
  expect(await probe(url, open)).toMatchObject({ status: "ok", httpStatus: 200 });
  await closed.promise;
});

test("a body is never unpacked", async () => {
  const headers = { "Content-Encoding": "gzip" };
  const { url } = serve(() => new Response("no gzip at all", { headers }));
  expect(await probe(url, open)).toMatchObject({ status: "ok", error: null });
});

test.each([
  [
    "an answer cut short",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
    "Соединение разорвано (ECONNRESET)",
  ],
  ["no answer", "", "Соединение разорвано (ECONNRESET)"],
  ["another protocol", "SSH-2.0-OpenSSH\r\n", "Ответ не по HTTP (HPE_INVALID_CONSTANT)"],
  [
    "endless headers",
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(1e6)}\r\n\r\n`,
    "Ответ не по HTTP (HPE_HEADER_OVERFLOW)",
  ],
])("%s is a network error", async (_, answer, error) => {
  const { url } = await serveRaw((socket) => socket.end(answer));
  expect(await probe(`${url}?token=hunter2`, open)).toMatchObject({
    status: "down",
    httpStatus: null,
    error,
    isNetworkError: true,
  });
});

test("a switch of protocols nobody asked for", async () => {
  const closed = Promise.withResolvers<void>();
  const { url } = await serveRaw((socket) => {
    socket.on("close", () => closed.resolve());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  });
  expect(await probe(url, open)).toMatchObject({ status: "down", httpStatus: 101, error: "HTTP 101" });
  await closed.promise;
});

test("what is not there", async () => {
  resolveTo({});
  const gone = { status: "down", httpStatus: null, isNetworkError: true, certificateExpiresAt: null };
  expect(await probe("http://127.0.0.1:1/?token=hunter2", open)).toMatchObject({
    ...gone,
    error: "Соединение отклонено (ECONNREFUSED)",
  });
  expect(await probe("http://nowhere.test/?token=hunter2", open)).toMatchObject({
    ...gone,
    error: "DNS: имя не найдено (ENOTFOUND)",
  });
  const { port } = serve(() => new Response("x"));
  expect(await probe(`https://127.0.0.1:${port}/`, open)).toMatchObject({
    ...gone,
    error: "TLS: узел отвечает не по TLS (ERR_SSL_WRONG_VERSION_NUMBER)",
  });
});

test("a slow answer is degraded; ten seconds are the limit, over hops, headers and body", async () => {
  const slow = serve(() => Bun.sleep(3100).then(() => new Response("x")));
  const circle = serve(() => Bun.sleep(4000).then(() => redirectTo("/")));
  const silent = await serveRaw(() => {});
  const unending = await serveRaw((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const drip = setInterval(() => socket.write("."), 500);
    socket.on("close", () => clearInterval(drip));
  });
  const results = await Promise.all([slow, circle, silent, unending].map(({ url }) => probe(url, open)));
  const [degraded, ...late] = results as [ProbeResult, ...ProbeResult[]];
  expect(degraded).toMatchObject({ status: "degraded", httpStatus: 200, error: null });
  for (const result of late) {
    expect(result).toMatchObject({ status: "down", error: "Нет ответа за 10 с", isNetworkError: true });
    expect(result.responseTimeMs).toBeWithin(9900, 11_000);
  }
}, 20_000);

test("the caller may end it, whatever it waits for", async () => {
  const aborted = { status: "down", error: "Проверка прервана", isNetworkError: false };
  expect(await probe("http://127.0.0.1:1/", open, AbortSignal.abort())).toMatchObject(aborted);
  const silent = await serveRaw(() => {});
  expect(await probe(silent.url, open, AbortSignal.timeout(50))).toMatchObject(aborted);
  spyOn(dns, "lookup").mockImplementation((() => {}) as unknown as typeof dns.lookup);
  expect(await probe("http://unanswered.test/", open, AbortSignal.timeout(50))).toMatchObject(aborted);
});

const credentials = "Имя и пароль в адресе не допускаются";
test.each([
  ["https://example.org/a?b", null],
  ["http://10.0.0.1:8080", null],
  ["ftp://example.org/", "Наблюдать можно только за http и https"],
  ["javascript:alert(1)", "Наблюдать можно только за http и https"],
  ["http://user@example.org/", credentials],
  ["http://:hunter2@example.org/", credentials],
  ["http://", "Адрес не разобран или в нём нет узла"],
  ["http://:80/", "Адрес не разобран или в нём нет узла"],
  ["example.org", "Адрес не разобран или в нём нет узла"],
  ["", "Адрес не разобран или в нём нет узла"],
])("the URL %p: %p", async (url, reason) => {
  expect(checkUrl(url)).toBe(reason);
  if (reason !== null)
    expect(await probe(url, open)).toMatchObject({ status: "down", error: reason, isNetworkError: false });
});

/** An HTTPS server that ends with the test. */
async function serveTls(...[certificate, answer]: Parameters<typeof serveHttps>) {
  const server = await serveHttps(certificate, answer);
  stops.push(server.stop);
  return server;
}

needs("openssl")("certificates are verified, and their expiry known even of a rejected one", async () => {
  resolveTo({ localhost: ["127.0.0.1"], "other.test": ["127.0.0.1"] });
  const [good, old] = [selfSigned(30), selfSigned(-1)];
  const [server, expired] = [await serveTls(good, (to) => to.end()), await serveTls(old, (to) => to.end())];
  const url = `https://localhost:${server.port}/?token=hunter2`;
  const rejected = (error: string, { expires }: Certificate) => ({
    ...{ status: "down", httpStatus: null, error, isNetworkError: true },
    certificateExpiresAt: expires,
  });
  const unknown = "TLS: самоподписанный сертификат (DEPTH_ZERO_SELF_SIGNED_CERT)";
  expect(await probe(url, open)).toMatchObject(rejected(unknown, good));
  stops.push(trust(good, old));
  expect(await probe(`https://localhost:${expired.port}/`, open)).toMatchObject(
    rejected("TLS: срок сертификата истёк (CERT_HAS_EXPIRED)", old),
  );
  const foreign = "TLS: сертификат выдан другому имени (ERR_TLS_CERT_ALTNAME_INVALID)";
  for (const host of ["other.test", "127.0.0.1"])
    expect(await probe(`https://${host}:${server.port}/`, open)).toMatchObject(rejected(foreign, good));
  expect([...server.hits, ...expired.hits]).toEqual([]);
  expect(await probe(url, open)).toMatchObject({ status: "ok", certificateExpiresAt: good.expires });
  expect(server.hits).toEqual(["/?token=hunter2"]);
});

needs("openssl")("the expiry is known of a hop over TLS, though the last hop is plain", async () => {
  resolveTo({ localhost: ["127.0.0.1"] });
  const certificate = selfSigned(30);
  stops.push(trust(certificate));
  const { url } = serve(() => new Response(null, { status: 500 }));
  const { port } = await serveTls(certificate, (to) => to.writeHead(301, { Location: url }).end());
  expect(await probe(`https://localhost:${port}/`, open)).toMatchObject({
    status: "down",
    error: "HTTP 500",
    certificateExpiresAt: certificate.expires,
  });
});
