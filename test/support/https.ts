/** HTTPS servers on the loopback, with certificates that the test makes with openssl. */
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { temporaryDirectory } from "./server.ts";

export interface Certificate {
  key: Buffer;
  cert: Buffer;
  expires: Date;
}

/** A certificate that signed itself and is valid for `days` from now. `name` as in `subjectAltName`. */
export function selfSigned(days: number, name = "DNS:localhost"): Certificate {
  const cwd = temporaryDirectory("certificate");
  const openssl = (options: string) => {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...options.split(" ")], { cwd });
    if (exitCode !== 0) throw new Error(stderr.toString());
  };
  const file = (path: string) => readFileSync(join(cwd, path));
  writeFileSync(join(cwd, "names"), `subjectAltName=${name}`);
  openssl("req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem");
  openssl(`x509 -req -in request.pem -signkey key.pem -extfile names -days ${days} -out cert.pem`);
  const cert = file("cert.pem");
  return { key: file("key.pem"), cert, expires: new Date(new X509Certificate(cert).validTo) };
}

export interface HttpsServer {
  port: number;
  /** The paths that it was asked for. */
  hits: (string | undefined)[];
  stop(): void;
}

/** Starts a server that answers as `answer` does. */
export async function serveHttps(
  { key, cert }: Certificate,
  answer: (response: ServerResponse) => void,
): Promise<HttpsServer> {
  const hits: HttpsServer["hits"] = [];
  const server = https.createServer({ key, cert }, ({ url }, response) => {
    hits.push(url);
    answer(response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    port: (server.address() as AddressInfo).port,
    hits,
    stop: () => server.close(),
  };
}

/** Has this process trust the certificates until the answered function is called. */
export function trust(...certificates: Certificate[]): () => void {
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, ...certificates.map(({ cert }) => cert.toString())]);
  return () => tls.setDefaultCACertificates(before);
}
