import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { collectTree, waitForResult } from "../support/collector.ts";
import { openEmbedded } from "../support/database.ts";
import { startTestServer, type TestServer, temporaryDirectory } from "../support/server.ts";

const password = "correct-horse-battery";

let server: TestServer;
let source: string;
const mailboxes: SMTPServer[] = [];

beforeAll(async () => {
  server = await startTestServer({ EMAIL_ATTACHMENT_LIMIT: "100000" });
  source = join(temporaryDirectory("mail"), "log");
  mkdirSync(source);
  writeFileSync(join(source, "app.log"), "one\n".repeat(1000));
});

afterEach(async () => {
  for (const mailbox of mailboxes.splice(0)) await new Promise<void>((resolve) => mailbox.close(resolve));
});

afterAll(() => server.stop());

interface Received {
  user: string | undefined;
  secure: boolean;
  from: string | undefined;
  to: string[];
  text: string;
}

/** A real SMTP server that takes mail for anybody who knows the password. */
async function startMailbox(
  options: SMTPServerOptions = {},
): Promise<{ port: number; received: Received[] }> {
  const received: Received[] = [];
  const mailbox = new SMTPServer({
    onAuth({ username, password: given }, _session, callback) {
      if (given === password) callback(null, { user: username ?? "" });
      else callback(new Error(`wrong password ${given}`));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          user: session.user,
          secure: session.secure,
          from: mailFrom ? mailFrom.address : undefined,
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
        });
        callback();
      });
    },
    ...options,
  });
  mailboxes.push(mailbox);
  await new Promise<void>((resolve) => mailbox.listen(0, "127.0.0.1", resolve));
  return { port: (mailbox.server.address() as AddressInfo).port, received };
}

const config = (port: number, rest: object = {}) => ({
  smtp_host: "127.0.0.1",
  smtp_port: port,
  username: "user@example.com",
  password,
  from_email: "sender@example.com",
  to_email: "recipient@example.com",
  verify_certificate: false,
  ...rest,
});

async function collectAndMail(email: object, rest: object = {}) {
  const target = join(temporaryDirectory("mailed"), "target");
  const request = { source_paths: [source], target_path: target, email_config: email, ...rest };
  const { job_id } = await collectTree(server.url, request);
  return { target, ...(await waitForResult(server.url, job_id)) };
}

test("STARTTLS with a password: the summary and the archive arrive, the password is forgotten", async () => {
  const { port, received } = await startMailbox();
  const { job_id, status, results } = await collectAndMail(config(port), { create_archive: true });
  expect(status).toBe("completed");
  expect(results).toMatchObject({ email_sent: true });
  expect(results).not.toHaveProperty("email_error");
  expect(received).toHaveLength(1);
  expect(received[0]).toMatchObject({
    user: "user@example.com",
    secure: true,
    from: "sender@example.com",
    to: ["recipient@example.com"],
  });
  expect(received[0]!.text).toContain(job_id);
  expect(received[0]!.text).toContain("filename=archive.zip");
  const listed = await (await fetch(`${server.url}/api/v1/jobs`)).text();
  expect(listed).not.toContain(password);
  const database = openEmbedded(server.dataDirectory);
  const [row] = await database`select payload from platform.jobs where id = ${job_id}`;
  await database.close();
  expect(row.payload.email_config).not.toHaveProperty("password");
});

test("TLS from the first byte on port 465's terms", async () => {
  const { port, received } = await startMailbox({ secure: true });
  const { results } = await collectAndMail(config(port, { use_tls: true }));
  expect(results).toMatchObject({ email_sent: true });
  expect(received[0]).toMatchObject({ secure: true, user: "user@example.com" });
});

test("an archive over the limit is told by its path", async () => {
  const { port, received } = await startMailbox();
  const large = join(source, "noise.bin");
  const noise = Buffer.alloc(200_000);
  for (let at = 0; at < noise.length; at += 50_000) crypto.getRandomValues(noise.subarray(at, at + 50_000));
  writeFileSync(large, noise);
  const { target } = await collectAndMail(config(port), { create_archive: true });
  expect(received[0]!.text).not.toContain("filename=");
  expect(received[0]!.text.replaceAll("=\r\n", "")).toContain(join(target, "archive.zip"));
});

test("without user and password, where the server wants none", async () => {
  const { port, received } = await startMailbox({ authOptional: true });
  const { results } = await collectAndMail(config(port, { username: null, password: null }));
  expect(results).toMatchObject({ email_sent: true });
  expect(received).toHaveLength(1);
});

test("a failed mail is told and never fails the job; the password is not in what is told", async () => {
  const { port } = await startMailbox();
  const { port: clear } = await startMailbox({ disabledCommands: ["STARTTLS"] });
  for (const email of [
    config(port, { password: "wrong-password-here" }),
    config(1),
    config(port, { verify_certificate: true }),
    config(clear),
  ]) {
    const { status, results } = await collectAndMail(email);
    expect({ email, status }).toMatchObject({ status: "completed" });
    expect(results).toMatchObject({ email_sent: false, email_error: expect.any(String) });
    expect(JSON.stringify(results)).not.toContain(password);
    expect(JSON.stringify(results)).not.toContain("wrong-password-here");
  }
});
