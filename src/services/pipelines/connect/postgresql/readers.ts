/** Sessions that read one table together: how they join the first one's snapshot, share the ranges and end. */
import { quoteTable } from "./identifiers.ts";
import { merged } from "./merge.ts";
import { beginReading, copyOf, type Source } from "./read.ts";
import type { Session } from "./wire.ts";

/** What a session must know of the lead's transaction to see what it sees. */
export interface Snapshot {
  /** As `pg_export_snapshot` named it. */
  id: string;
  /** When the server was started: behind a balancer another one may know a snapshot of the same name. */
  server: string;
}

export interface ReadersOptions {
  /** It exported the snapshot, in the transaction that it is in. */
  lead: Session;
  source: Source;
  snapshot: Snapshot;
  /** What is read, as `rangesOf` makes it. */
  ranges: Generator<string>;
  open(signal: AbortSignal): Promise<Session>;
  signal: AbortSignal;
}

/** A reader that pauses between two ranges must not cost the transaction. */
export const stayOpen = "set local idle_in_transaction_session_timeout = 0";

/** Parts of a table that have each row once. Behind the last page that was counted there may be others: the last part has no end. */
export function* rangesOf(pages: number, rangePages: number): Generator<string> {
  for (let first = 0; first < pages; first += rangePages) {
    const next = first + rangePages;
    const end = next < pages ? ` and ctid < '(${next},0)'` : "";
    yield ` where ctid >= '(${first},0)'${end}`;
  }
}

/**
 * The lead begins at once and stays in its transaction until no range is left, so that whoever joins with its snapshot before has something to read, and whoever comes
 * too late reads nothing.
 */
export class Readers {
  private readonly options: ReadersOptions;
  private readonly sessions: Session[];
  private lastJoin: Promise<unknown> = Promise.resolve();
  /** Of the session that is joining. */
  private joining: AbortController | null = null;
  private isJoiningOver = false;

  constructor(options: ReadersOptions) {
    this.options = options;
    this.sessions = [options.lead];
  }

  /** All rows, by as many sessions as the server lets in, `most` at most. */
  chunks(most: number): AsyncGenerator<Uint8Array> {
    const others = Array.from({ length: most - 1 }, () => this.follow());
    return merged([this.copy(this.options.lead), ...others], () => this.end());
  }

  /** One after the other: sessions that log in at the same moment keep each other out when places are few. */
  private async *follow(): AsyncGenerator<Uint8Array> {
    const joined = this.lastJoin.then(() => this.join());
    this.lastJoin = joined;
    const session = await joined;
    if (session) yield* this.copy(session);
  }

  /** Copies ranges until none is left, then gives up the session. */
  private async *copy(session: Session): AsyncGenerator<Uint8Array> {
    try {
      for (const range of this.options.ranges) yield* session.copyOut(copyOf(this.options.source, range));
      this.stopJoining();
    } finally {
      await session.close();
    }
  }

  /** Another session in the lead's snapshot. Null when the server does not let it in or all is read: then nobody else tries. */
  private async join(): Promise<Session | null> {
    if (this.isJoiningOver) return null;
    const { open, signal, lead } = this.options;
    this.joining = new AbortController();
    let session: Session | null = null;
    try {
      session = await open(AbortSignal.any([signal, this.joining.signal]));
      if ((await this.takeSnapshot(session)) && !lead.isClosed) {
        this.sessions.push(session);
        return session;
      }
    } catch {
      // Too many connections, no lock, too late: those that are there read its part.
    } finally {
      this.joining = null;
    }
    this.stopJoining();
    await session?.close();
    return null;
  }

  /** False when it is a session of another server. */
  private async takeSnapshot(session: Session): Promise<boolean> {
    const { source, snapshot } = this.options;
    // Without waiting, as pg_dump does: who waits for an exclusive lock waits for the lead, and we would stand behind. With the lock no range is held up later.
    const lock = source.table ? `lock table ${quoteTable(source.table)} in access share mode nowait` : "";
    await session.query(`${beginReading}; set transaction snapshot '${snapshot.id}'; ${stayOpen}; ${lock}`);
    const { rows } = await session.query("select pg_catalog.pg_postmaster_start_time()");
    return rows[0]?.[0] === snapshot.server;
  }

  private stopJoining(): void {
    this.isJoiningOver = true;
    this.joining?.abort();
  }

  private async end(): Promise<void> {
    this.stopJoining();
    await Promise.all([this.lastJoin, ...this.sessions.map((session) => session.close())]);
  }
}
