/** Cron expressions of five fields, by croner. */
import { Cron } from "croner";
import { unprocessable } from "../../platform/http/failures.ts";

const fieldCount = 5;

/** When an expression fires next after `from`; null when never. Times are those of a zone, of the server's when none is named. */
export function nextFiring(expression: string, zone: string | undefined, from: Date): Date | null {
  return new Cron(expression, { mode: "5-part", ...(zone ? { timezone: zone } : {}) }).nextRun(from);
}

/** Fails with `unprocessable` unless an expression and zone can be understood. `field` names where it came from. */
export function requireCron(expression: string, zone: string | undefined, field: string): void {
  const problem = (message: string) =>
    unprocessable("Invalid request parameters", {
      problems: [{ path: ["body", ...field.split(".")], message, type: "value_error.cron" }],
    });
  if (expression.trim().split(/\s+/).length !== fieldCount)
    throw problem("a cron expression of five fields is expected");
  try {
    if (nextFiring(expression, zone, new Date()) === null) throw new Error("it never fires");
  } catch (error) {
    throw problem(`not a usable cron expression: ${error instanceof Error ? error.message : "unknown"}`);
  }
}
