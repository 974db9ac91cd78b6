import pino, { type Logger } from "pino";

export type Log = Logger;

/** Paths of fields that never reach the log, wherever an object with them is logged. */
const redacted = ["password", "token", "authorization", "api_key", "secret"].flatMap((name) => [
  name,
  `*.${name}`,
]);

/** The process's log: one JSON object a line on standard output, secrets removed. `level` is one of pino's. */
export function createLog(level: string): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: redacted, censor: "[redacted]" },
    },
    pino.destination({ dest: 1, sync: true }),
  );
}
