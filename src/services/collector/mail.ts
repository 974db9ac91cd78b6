/** The report of a finished job, by SMTP (RFC 5321) with STARTTLS or TLS. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { createTransport } from "nodemailer";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { humanBytes } from "./human-bytes.ts";
import type { EmailConfig, Results } from "./schemas.ts";

/** The port on which a server speaks TLS from the first byte (RFC 8314). */
const implicitTlsPort = 465;
const connectMilliseconds = 10_000;
const silenceMilliseconds = 60_000;

export interface MailOptions {
  config: EmailConfig;
  /** The SMTP password in clear; it is held only while sending. */
  password: string | null;
  results: Results;
  jobId: string;
  /** Largest archive that is attached, in bytes; a larger one is told by its path. */
  attachmentLimit: number;
}

function fits(path: string | null, limit: number): path is string {
  if (path === null) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.size <= limit;
}

function textOf({ results, jobId }: MailOptions, attached: boolean): string {
  const lines = [
    `Job: ${jobId}`,
    `Target: ${results.target_path}`,
    `Files: ${results.total_files} found, ${results.processed_files} collected, ${results.failed_files} failed`,
    `Size: ${humanBytes(results.bytes)}`,
    `Duration: ${results.duration_seconds.toFixed(1)} s`,
    `Manifest: ${results.manifest_path ?? "none"}`,
  ];
  if (results.archive_path) lines.push(`Archive: ${attached ? "attached" : results.archive_path}`);
  return [...lines, ...results.warnings.map((warning) => `Warning: ${warning}`), ""].join("\n");
}

/** Sends the report. Answers null when the server took it, else why it did not, in one line without secrets. */
export async function sendReport(options: MailOptions): Promise<string | null> {
  const { config, password, results, attachmentLimit } = options;
  const tlsAtOnce = config.use_tls ?? config.smtp_port === implicitTlsPort;
  const transport = createTransport({
    host: config.smtp_host,
    port: config.smtp_port,
    secure: tlsAtOnce,
    // A password never crosses the network in clear: without TLS the mail fails instead.
    requireTLS: !tlsAtOnce && password !== null,
    tls: { rejectUnauthorized: config.verify_certificate },
    ...(config.username && password !== null ? { auth: { user: config.username, pass: password } } : {}),
    connectionTimeout: connectMilliseconds,
    greetingTimeout: connectMilliseconds,
    socketTimeout: silenceMilliseconds,
    disableUrlAccess: true,
  });
  const archive = fits(results.archive_path, attachmentLimit) ? results.archive_path : null;
  try {
    await transport.sendMail({
      from: config.from_email,
      to: config.to_email,
      subject: `Collection finished: ${results.processed_files} of ${results.total_files} files`,
      text: textOf(options, archive !== null),
      attachments: archive === null ? [] : [{ filename: basename(archive), path: archive }],
    });
    return null;
  } catch (error) {
    return reasonOf(error);
  } finally {
    transport.close();
  }
}
