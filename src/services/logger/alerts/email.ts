/** Alerts by e-mail, through the SMTP server of the settings. */
import { createTransport } from "nodemailer";
import type { SmtpSettings } from "../../../config.ts";
import { reasonOf } from "../../../platform/telemetry/startup-error.ts";
import { together } from "./notice.ts";
import type { Send } from "./outbox.ts";

const timeoutMilliseconds = 15_000;
const longestText = 100_000;

/** The sender of mails. A password never goes over an unencrypted connection. */
export function emailSender({
  host,
  port,
  user,
  password,
  from,
  tls,
  verifyCertificate,
}: SmtpSettings): Send {
  const transport = createTransport({
    host,
    port,
    secure: tls,
    requireTLS: !tls && password !== null,
    tls: { rejectUnauthorized: verifyCertificate },
    ...(user !== null && password !== null ? { auth: { user, pass: password } } : {}),
    connectionTimeout: timeoutMilliseconds,
    greetingTimeout: timeoutMilliseconds,
    socketTimeout: timeoutMilliseconds,
    disableUrlAccess: true,
    disableFileAccess: true,
  });
  return async (to, notices) => {
    const [first] = notices;
    const more = notices.length > 1 ? ` (+${notices.length - 1})` : "";
    try {
      await transport.sendMail({
        from,
        to,
        subject: `${first?.project.name}: ${first?.title}${more}`.slice(0, 200),
        text: together(notices, longestText),
      });
      return { kind: "delivered" };
    } catch (error) {
      const code = error instanceof Error && "responseCode" in error ? Number(error.responseCode) : 0;
      const isForGood = code >= 550 && code < 560;
      return { kind: isForGood ? "refused" : "retry", reason: reasonOf(error) };
    }
  };
}
