import { readConfig } from "../config.ts";
import { reasonOf, StartupError } from "../platform/telemetry/startup-error.ts";
import { startServer } from "../server.ts";
import { version } from "../version.ts";

export interface ServeFlags {
  host?: string;
  port?: string;
  data?: string;
}

/** Longest that an orderly stop may take before the process ends all the same. */
const stopLimitMilliseconds = 40_000;

/** `quintet serve`: runs until SIGTERM or SIGINT. What keeps it from starting is told in one line; the exit status is then 1. */
export async function serve(flags: ServeFlags): Promise<void> {
  try {
    const config = readConfig({
      ...(flags.host === undefined ? {} : { HOST: flags.host }),
      ...(flags.port === undefined ? {} : { PORT: flags.port }),
      ...(flags.data === undefined ? {} : { DATA_DIR: flags.data }),
    });
    const started = performance.now();
    const quintet = await startServer(config);
    quintet.log.info(
      { url: quintet.url.href, version, milliseconds: Math.round(performance.now() - started) },
      "quintet is ready",
    );
    process.on("unhandledRejection", (error) =>
      quintet.log.error({ err: error }, "an error that nobody expected"),
    );
    stopOnSignal(async (signal) => {
      quintet.log.info({ signal }, "stopping");
      await quintet.stop();
      quintet.log.info("stopped");
    });
  } catch (error) {
    console.error(
      `quintet: ${error instanceof StartupError ? error.message : `unexpected error: ${reasonOf(error)}`}`,
    );
    process.exit(1);
  }
}

/** Stops at the first signal; the second ends the process at once. */
function stopOnSignal(stop: (signal: string) => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      setTimeout(() => process.exit(1), stopLimitMilliseconds).unref();
      void stop(signal).then(() => process.exit(0));
    });
}
