/**
 * The PostgreSQL that the executable carries, run as a supervised child: made on first use, adopted when a killed
 * predecessor left it running, started again when it dies, stopped cleanly with the server.
 */
import { join } from "node:path";
import type { Log } from "../telemetry/log.ts";
import { reasonOf } from "../telemetry/startup-error.ts";
import { clusterDirectory, createCluster, prepareHome } from "./cluster.ts";
import { confine } from "./confinement.ts";
import { databaseOwner } from "./owner.ts";
import {
  findPostmaster,
  type Postmaster,
  runs,
  startPostmaster,
  stopPostmaster,
  untilReady,
} from "./postmaster.ts";
import { makeSocketDirectory } from "./socket-directory.ts";

export interface EmbeddedPostgres {
  /** Directory of the UNIX socket; every local user that may enter it may connect. */
  socketDirectory: string;
  /** The server's process at the moment. */
  pid(): number;
  /** Stops the server cleanly. */
  stop(): Promise<void>;
}

const firstPauseMilliseconds = 100;
const longestPauseMilliseconds = 5_000;

/**
 * Brings the embedded database up. The caller holds the lock of `dataDirectory`, so nobody else supervises it. Throws
 * StartupError when it cannot come up at all; a later death is mended in the background and told to `log`.
 */
export async function startEmbeddedPostgres(options: {
  dataDirectory: string;
  /** Unpacked PostgreSQL programs. */
  programs: string;
  log: Log;
}): Promise<EmbeddedPostgres> {
  const { log } = options;
  const home = join(options.dataDirectory, "postgres");
  const owner = databaseOwner(clusterDirectory(home));
  prepareHome(home, owner);
  const confinement = confine({ programs: options.programs, home }, owner);
  await createCluster(home, confinement);
  const socket = makeSocketDirectory(home, confinement, owner);
  const start = () => startPostmaster(home, socket, confinement);

  let stopping = false;
  let postmaster = (await adopt(home, socket.path, options.programs, log)) ?? (await start());

  async function supervise(): Promise<void> {
    for (;;) {
      await postmaster.exited;
      if (stopping) return;
      log.error({ pid: postmaster.pid }, "PostgreSQL ended; starting it again");
      const next = await restart();
      if (!next) return;
      postmaster = next;
      log.info({ pid: postmaster.pid }, "PostgreSQL runs again");
    }
  }

  async function restart(): Promise<Postmaster | null> {
    for (
      let pause = firstPauseMilliseconds;
      !stopping;
      pause = Math.min(pause * 2, longestPauseMilliseconds)
    ) {
      try {
        await findPostmaster(home, socket.path);
        return await start();
      } catch (error) {
        log.error({ reason: reasonOf(error), retryMilliseconds: pause }, "PostgreSQL did not start");
        await Bun.sleep(pause);
      }
    }
    return null;
  }

  const supervision = supervise();
  return {
    socketDirectory: socket.path,
    pid: () => postmaster.pid,
    async stop() {
      stopping = true;
      await stopPostmaster(postmaster);
      await supervision;
      confinement.release();
    },
  };
}

/**
 * Takes over a server that still runs on the cluster. Answers null when there is none, when it ended meanwhile, or when
 * it runs programs of another version, which are about to be removed: such a one is stopped cleanly.
 */
async function adopt(
  home: string,
  socketPath: string,
  programs: string,
  log: Log,
): Promise<Postmaster | null> {
  const left = await findPostmaster(home, socketPath);
  if (!left) return null;
  if (!runs(left, join(programs, "bin/postgres"))) {
    log.info({ pid: left.pid }, "stopping the PostgreSQL that another version left running");
    await stopPostmaster(left);
    return null;
  }
  log.info({ pid: left.pid }, "adopting the PostgreSQL that a predecessor left running");
  try {
    await untilReady(left, home);
    return left;
  } catch {
    return null;
  }
}
