import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { Sealer } from "../../../src/platform/identity/sealing.ts";
import { ownSecret } from "../../../src/platform/identity/secrets.ts";
import { ask, register } from "../../support/accounts.ts";
import { openEmbedded } from "../../support/database.ts";
import {
  freshDataDirectory,
  startTestServer,
  type TestServer,
  temporaryDirectory,
} from "../../support/server.ts";

const key = Buffer.from("a key that is long enough for anybody");
test("the server's own key is made once and readable by nobody else", async () => {
  const directory = temporaryDirectory("secrets");
  const program = `import { ownSecret } from ${JSON.stringify(join(import.meta.dir, "../../../src/platform/identity/secrets.ts"))};
    console.log(ownSecret(${JSON.stringify(directory)}, "a.key").toString())`;
  const started = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" }),
  );
  const made = new Set(await Promise.all(started.map((child) => new Response(child.stdout).text())));
  expect(made.size).toBe(1);
  expect(ownSecret(directory, "a.key").toString()).toBe([...made][0]!.trim());
  expect(ownSecret(directory, "b.key")).not.toEqual(ownSecret(directory, "a.key"));
  expect(statSync(join(directory, "secrets/a.key")).mode & 0o777).toBe(0o600);
});

test("what is sealed opens under its key alone, and not when it was touched", () => {
  const sealer = new Sealer(key);
  const sealed = sealer.seal("пароль");
  expect(sealed).not.toBe(sealer.seal("пароль"));
  expect(sealer.open(sealed)).toBe("пароль");
  expect(() => new Sealer(Buffer.from("another")).open(sealed)).toThrow();
  for (let at = 0; at < sealed.length; at += 7) {
    const touched = sealed.slice(0, at) + (sealed[at] === "A" ? "B" : "A") + sealed.slice(at + 1);
    expect(() => sealer.open(touched)).toThrow();
  }
  for (const bad of ["", "v1.", "v1.AAAA", "hello"]) expect(() => sealer.open(bad)).toThrow();
});

describe("the sealing key is changed", () => {
  const [first, second] = [
    "the first key, long enough for anybody",
    "the second key, long enough for anybody",
  ];
  const secret = { username: "u", password: "s3cret" };

  /** What a server keeps sealed: a connector's credentials, a pipeline's, a webhook's. */
  async function fill({ url }: TestServer, token: string): Promise<void> {
    const config = { host: "127.0.0.1", port: 1, table: "t" };
    const endpoint = { type: "postgresql", config: { ...config, ...secret } };
    const webhookNotify = {
      enabled: true,
      url: "http://127.0.0.1/",
      secret: secret.password,
      tags: ["ERROR"],
    };
    for (const [path, body] of [
      ["/api/v1/connectors", { name: "c", type: "postgresql", config, credentials: secret }],
      ["/api/v1/pipelines", { name: "p", sources: [endpoint], targets: [endpoint] }],
      ["/api/projects", { name: "hooked", webhookNotify }],
    ] as const)
      expect(await ask(url, "POST", path, { token, body })).toMatchObject({ status: 201 });
  }

  async function stored({ dataDirectory }: TestServer): Promise<string[]> {
    const sql = openEmbedded(dataDirectory);
    const [row] = await sql`select (select credentials from pipelines.connectors) as a,
      (select definition->'sources'->0->>'sealed' from pipelines.versions) as b,
      (select webhook_notify->>'secret' from logger.projects where webhook_notify is not null) as c`;
    await sql.end();
    return Object.values(row);
  }

  test("what the previous one sealed is sealed anew at start, the server's own included", async () => {
    const data = await freshDataDirectory();
    const own = await startTestServer({ DATA_DIR: data });
    await fill(own, await register(own.url, "admin"));
    const before = await stored(own);
    await own.quintet.stop();

    const given = await startTestServer({ DATA_DIR: data, ENCRYPTION_KEY: first });
    const between = await stored(given);
    for (const form of between) expect(new Sealer(Buffer.from(first)).open(form)).toContain(secret.password);
    expect(between).not.toEqual(before);
    await given.quintet.stop();

    const changed = { DATA_DIR: data, ENCRYPTION_KEY: second, ENCRYPTION_KEY_PREVIOUS: first };
    const rotated = await startTestServer(changed);
    const after = await stored(rotated);
    for (const form of after) expect(new Sealer(Buffer.from(second)).open(form)).toContain(secret.password);
    await rotated.quintet.stop();

    const last = await startTestServer(changed);
    expect(await stored(last)).toEqual(after);
    await last.stop();
  });

  test("a server with a key that the database's secrets are not sealed under does not start", async () => {
    const data = await freshDataDirectory();
    const refused = startTestServer({
      DATA_DIR: data,
      ENCRYPTION_KEY: second,
      ENCRYPTION_KEY_PREVIOUS: first,
    });
    await expect(refused).rejects.toThrow(
      "ENCRYPTION_KEY: secrets in this database are sealed under another key",
    );
    await (await startTestServer({ DATA_DIR: data })).stop();
  });
});
