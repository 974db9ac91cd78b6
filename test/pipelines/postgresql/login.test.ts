/** Ways into a server: methods of authentication, TLS, and what is said when there is none. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import {
  authenticate,
  prepared,
  Scram,
} from "../../../src/services/pipelines/connect/postgresql/authentication.ts";
import { PostgresqlConnector } from "../../../src/services/pipelines/connect/postgresql/connector.ts";
import type { SessionOptions } from "../../../src/services/pipelines/connect/postgresql/login.ts";
import { Session } from "../../../src/services/pipelines/connect/postgresql/wire.ts";
import { needs } from "../../needs.ts";
import { selfSigned } from "../../support/https.ts";
import { freePort, hasPostgres } from "../../support/postgres.ts";
import { never, type Server, startServer, within } from "./support.ts";

const needsPostgres = hasPostgres ? test : test.skip;
const needsTls = hasPostgres ? needs("openssl") : test.skip;
let server: Server;
let directory: string;

/** Lets people in by these lines of pg_hba.conf; the owner always. */
async function letIn(...lines: string[]): Promise<void> {
  writeFileSync(
    join(directory, "pg_hba.conf"),
    ["host all owner 127.0.0.1/32 scram-sha-256", ...lines, ""].join("\n"),
  );
  await server.admin.query("select pg_reload_conf()");
  const isLoaded = `select count(*) = ${lines.length + 1} from pg_hba_file_rules where error is null`;
  await within(5_000, async () => (await server.one(isLoaded)) === "t");
  // The postmaster reads it when the signal arrives.
  await Bun.sleep(100);
}

async function makeUser(name: string, password: string, encryption: "md5" | "scram-sha-256"): Promise<void> {
  const literal = `'${password.replaceAll("'", "''")}'`;
  await server.admin.query(
    `set password_encryption = '${encryption}'; drop role if exists "${name}"; create role "${name}" login password ${literal}`,
  );
}

/** Who the server thinks we are. */
async function whoAmI(options: Partial<SessionOptions>): Promise<string | null> {
  const session = await Session.open({ ...server.options, ...options }, never());
  const { rows } = await session.ask("select current_user");
  await session.close();
  return rows[0]?.[0] ?? null;
}

beforeAll(async () => {
  if (!hasPostgres) return;
  server = await startServer();
  directory = (await server.one("show data_directory")) ?? "";
});
afterAll(async () => await server?.stop());

describe("SCRAM-SHA-256", () => {
  test("is that of RFC 7677", async () => {
    const scram = new Scram("pencil", "rOprNGfwEbeRWgbNEkqO", "user");
    expect(scram.first()).toBe("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    const answer = await scram.answer(
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    );
    expect(answer).toBe(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    expect(() => scram.check("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).toThrow("did not prove");
    expect(() => scram.check("e=other-error")).toThrow("did not prove");
    scram.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    expect(scram.isProven).toBe(true);
  });

  test("refuses a nonce that is not ours and too many iterations", async () => {
    const answer = (first: string) => new Scram("pencil", "abc").answer(first);
    await expect(answer("r=xyz123,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")).rejects.toThrow("not valid");
    await expect(answer("r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")).rejects.toThrow("not valid");
    await expect(answer("r=abc1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=400000000")).rejects.toThrow("not valid");
  });

  test("prepares passwords", () => {
    expect(prepared("I\u00adX")).toBe("IX");
    expect(prepared("\u00aa\u2168")).toBe("aIX");
    expect(prepared("a\u00a0b")).toBe("a b");
    expect(prepared("\u2168 🙂")).toBe("\u2168 🙂");
    expect(prepared("bell\u0007é\u0301")).toBe("bell\u0007é\u0301");
  });
});

needsPostgres("trust, clear text, md5 and SCRAM let the right password in and no other", async () => {
  const password = "пароль ' \u00a0ﬁ 🙂";
  for (const [method, encryption] of [
    ["trust", "scram-sha-256"],
    ["password", "scram-sha-256"],
    ["password", "md5"],
    ["md5", "md5"],
    ["md5", "scram-sha-256"],
    ["scram-sha-256", "scram-sha-256"],
  ] as const) {
    await makeUser("somebody", password, encryption);
    await letIn(`host all somebody 127.0.0.1/32 ${method}`);
    expect({ method, who: await whoAmI({ user: "somebody", password }) }).toEqual({
      method,
      who: "somebody",
    });
    if (method === "trust") continue;
    await expect(whoAmI({ user: "somebody", password: "wrong" })).rejects.toMatchObject({ code: "28P01" });
    await expect(whoAmI({ user: "somebody", password: "" })).rejects.toThrow("none is configured");
  }
});

needsPostgres("a Unix socket is a way in", async () => {
  await makeUser("somebody", "secret", "md5");
  await letIn("local all somebody password");
  expect(await whoAmI({ host: directory, user: "somebody", password: "secret", sslMode: "require" })).toBe(
    "somebody",
  );
});

needsPostgres("what is said about a failed connection names nobody", async () => {
  await letIn();
  const signal = never();
  const errors: (string | null)[] = [];
  const told = async (config: Record<string, unknown>, credentials: Record<string, unknown>) => {
    const result = await server.connector(config, credentials).test(signal);
    errors.push(result.error);
    return result;
  };
  const wrong = await told({}, { password: "wrong secret" });
  expect(wrong).toEqual({
    connectionEstablished: true,
    authenticationSuccessful: false,
    queryExecutionSuccessful: false,
    latency: null,
    error: "the server refuses the user name or the password",
  });
  const stranger = await told({}, { username: "stranger", password: "wrong secret" });
  expect(stranger).toMatchObject({ connectionEstablished: true, authenticationSuccessful: false });
  const nowhere = await told({ port: await freePort() }, {});
  expect(nowhere).toMatchObject({
    connectionEstablished: false,
    error: expect.stringContaining("cannot be reached"),
  });
  const nameless = await told({ host: "nowhere.invalid" }, {});
  expect(nameless).toMatchObject({ connectionEstablished: false });
  const noDatabase = await told({ database: "missing" }, {});
  expect(noDatabase).toMatchObject({
    connectionEstablished: true,
    authenticationSuccessful: true,
    error: expect.stringContaining("missing"),
  });
  for (const error of errors)
    expect(error ?? "none").not.toMatch(/wrong secret|stranger|owner|letters and digits/);
  expect(errors).toHaveLength(5);
  expect(await told({}, {})).toMatchObject({
    queryExecutionSuccessful: true,
    latency: expect.any(Number),
    error: null,
  });
});

test("options that are missing are named without their values", () => {
  const options = { config: { host: "h", port: "secret" }, credentials: { username: 5 } };
  expect(() => new PostgresqlConnector(options)).toThrow("missing or not valid: port, database, username");
});

describe("TLS", () => {
  let certificate: ReturnType<typeof selfSigned>;
  let other: ReturnType<typeof selfSigned>;

  needsTls("is used as ssl_mode says", async () => {
    certificate = selfSigned(2);
    other = selfSigned(2);
    const key = join(directory, "server.key");
    writeFileSync(join(directory, "server.crt"), certificate.cert);
    writeFileSync(key, certificate.key, { mode: 0o600 });
    const { uid, gid } = statSync(directory);
    await $`chown ${uid}:${gid} ${key}`;
    const isEncrypted = async (more: Partial<SessionOptions>) => {
      const session = await Session.open({ ...server.options, ...more }, never());
      const { rows } = await session.ask("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
      await session.close();
      return rows[0]?.[0] === "t";
    };
    await letIn();
    expect(await isEncrypted({ sslMode: "prefer" })).toBe(false);
    await expect(isEncrypted({ sslMode: "require" })).rejects.toThrow("does not offer TLS");
    await server.admin.query("alter system set ssl = on");
    await server.admin.query("select pg_reload_conf()");
    await within(5_000, () => isEncrypted({ sslMode: "prefer" }));

    const [ours, theirs] = [certificate.cert.toString(), other.cert.toString()];
    expect(await isEncrypted({ sslMode: "disable" })).toBe(false);
    expect(await isEncrypted({ sslMode: "require" })).toBe(true);
    const refusal = "certificate is refused";
    const address = { host: "127.0.0.1" };
    const name = { host: "localhost" };
    expect(await isEncrypted({ ...address, sslMode: "require", rootCertificate: ours })).toBe(true);
    await expect(isEncrypted({ ...address, sslMode: "require", rootCertificate: theirs })).rejects.toThrow(
      refusal,
    );
    expect(await isEncrypted({ ...address, sslMode: "verify-ca", rootCertificate: ours })).toBe(true);
    for (const host of [address, name]) {
      await expect(isEncrypted({ ...host, sslMode: "verify-ca", rootCertificate: theirs })).rejects.toThrow(
        refusal,
      );
      await expect(isEncrypted({ ...host, sslMode: "verify-ca" })).rejects.toThrow(refusal);
      await expect(isEncrypted({ ...host, sslMode: "verify-full" })).rejects.toThrow(refusal);
    }
    await expect(isEncrypted({ ...address, sslMode: "verify-full", rootCertificate: ours })).rejects.toThrow(
      refusal,
    );
    expect(await isEncrypted({ ...name, sslMode: "verify-full", rootCertificate: ours })).toBe(true);

    const numbered = selfSigned(2, "IP:127.0.0.1");
    writeFileSync(join(directory, "server.crt"), numbered.cert);
    writeFileSync(key, numbered.key, { mode: 0o600 });
    await server.admin.query("select pg_reload_conf()");
    const rootCertificate = numbered.cert.toString();
    const isVerified = () => isEncrypted({ ...address, sslMode: "verify-full", rootCertificate });
    await within(5_000, () => isVerified().catch(() => false));

    await letIn("hostnossl all somebody 127.0.0.1/32 trust");
    await makeUser("somebody", "secret", "md5");
    expect(await isEncrypted({ user: "somebody", sslMode: "prefer" })).toBe(false);
    await expect(isEncrypted({ user: "somebody", sslMode: "require" })).rejects.toMatchObject({
      code: "28000",
    });
  });

  needsTls("carries much both ways and is cancelled too", async () => {
    const connector = server.connector({ ssl_mode: "require" });
    const query = "select n, repeat(md5(n::text), 10) as v from generate_series(1, 100000) n";
    const rows = await connector.read({ query }, never());
    const request = { table: "by_tls", mode: "append", key: [], onSchemaChange: "fail" } as const;
    await (await connector.stage(request, rows, "tls", never())).publish();
    expect(await server.one("select md5(string_agg(n || v, ',' order by n)) from by_tls")).toBe(
      await server.one(`select md5(string_agg(n || v, ',' order by n)) from (${query}) q`),
    );
    const abort = new AbortController();
    const session = await Session.open({ ...server.options, sslMode: "require" }, abort.signal);
    const asked = session.ask("select pg_sleep(60)");
    setTimeout(() => abort.abort(new Error("enough")), 100);
    await expect(asked).rejects.toThrow("enough");
    await within(
      2_000,
      async () =>
        (await server.one(
          "select count(*) from pg_stat_activity where query like '%sleep(60)%' and pid <> pg_backend_pid()",
        )) === "0",
    );
  });
});

describe("a server that is none", () => {
  const listen = (answer: (socket: Socket) => void) =>
    new Promise<NetServer>((resolve) => {
      const net = createServer((socket) => {
        socket.on("error", () => {});
        answer(socket);
      });
      net.listen(0, "127.0.0.1", () => resolve(net));
    });
  const options = (net: NetServer, more: Partial<SessionOptions> = {}): SessionOptions => ({
    host: "127.0.0.1",
    port: (net.address() as { port: number }).port,
    database: "d",
    user: "u",
    password: "p",
    sslMode: "disable",
    rootCertificate: null,
    ...more,
  });

  test("is told from one", async () => {
    const net = await listen((socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    await expect(Session.open(options(net), never())).rejects.toThrow("does not speak PostgreSQL's protocol");
    net.close();
  });

  test("does not get what is sent before TLS believed", async () => {
    const net = await listen((socket) => socket.on("data", () => socket.write("SR\0\0\0\x08\0\0\0\0")));
    await expect(Session.open(options(net, { sslMode: "require" }), never())).rejects.toThrow("before TLS");
    net.close();
  });

  test("that lets in after SCRAM without a proof is left", async () => {
    const net = await listen((socket) => {
      let turn = 0;
      socket.on("data", (data) => {
        turn++;
        const message = (code: number, text: string) => {
          const body = Buffer.from(text);
          const head = Buffer.alloc(9);
          head.write("R");
          head.writeInt32BE(8 + body.length, 1);
          head.writeInt32BE(code, 5);
          socket.write(Buffer.concat([head, body]));
        };
        if (turn === 1) message(10, "SCRAM-SHA-256\0\0");
        else if (turn === 2) message(11, `r=${/r=([^,\0]+)/.exec(data.toString())?.[1]}x,s=c2FsdA==,i=1`);
        else message(0, "");
      });
    });
    await expect(Session.open(options(net), never())).rejects.toThrow("did not prove");
    net.close();
  });

  test("that is silent is left when the signal says so", async () => {
    const net = await listen(() => {});
    const start = performance.now();
    await expect(Session.open(options(net), AbortSignal.timeout(200))).rejects.toThrow("timed out");
    expect(performance.now() - start).toBeLessThan(1_500);
    net.close();
  });

  test("that asks for a clear password gets none over an open line", async () => {
    const body = Buffer.from([0, 0, 0, 3]);
    const exchange = {
      next: async () => ({ type: 82, body }),
      send: () => Promise.reject(new Error("sent")),
      isPrivate: false,
    };
    await expect(authenticate(exchange, { user: "u", password: "p" })).rejects.toThrow("not encrypted");
  });
});
