import { copyBatch, finishDirectories } from "./copy-batch.ts";
import type { CopySetting } from "./copy-setting.ts";
import { encodeEntry } from "./journal.ts";
import { type CollectOptions, removesSources } from "./options.ts";
import { type Counts, countEntry, noCounts } from "./outcome.ts";
import { type Placed, PlacingLog } from "./placing.ts";
import { decodeRows, type PlanRow } from "./plan-row.ts";
import { type SourceRoot, sourcePath } from "./roots.ts";
import { SourceTree } from "./source-tree.ts";
import { type StopFlag, Stopped } from "./stop-flag.ts";
import { TargetTree } from "./target-tree.ts";
import { Temporaries } from "./temporaries.ts";
import { serveThread, type ThreadTask } from "./thread.ts";

/** The first message: what every batch has in common. */
export interface CopyStart {
  options: CollectOptions;
  work: string;
  roots: SourceRoot[];
  acceptsPresent: boolean;
  stop: StopFlag;
}

/** Rows to copy, or directories to finish. */
export interface CopyBatch {
  kind: "files" | "directories";
  rows: Uint8Array;
  /** What earlier runs placed of these rows. */
  own: Placed[];
}

/** A finished batch: lines for the journal, and what they count. */
export interface CopiedBatch {
  kind: "copied";
  lines: Uint8Array;
  counts: Counts;
  lastFile: string;
  /** Bytes of it that were told while it was being copied. */
  told: number;
}

/** Progress within a batch of large files. */
export interface CopyBytes {
  kind: "bytes";
  bytes: number;
  file: string;
}

export type CopyMessage = CopiedBatch | CopyBytes | { kind: "stopped" };

declare const self: Worker;

/** Fits the second-level cache, so that what was read is hashed and written from there. */
const bufferSize = 1_048_576;
const bytesPerMessage = 32 * 1_048_576;

class Copier implements ThreadTask<CopyBatch, CopyMessage> {
  readonly #setting: CopySetting;
  readonly #own = new Map<number, Placed[]>();
  readonly #log: PlacingLog;
  #untold = 0;
  #told = 0;
  #row: PlanRow | undefined;

  constructor({ options, work, roots, acceptsPresent, stop }: CopyStart) {
    this.#log = new PlacingLog(work);
    this.#setting = {
      sources: new SourceTree(roots),
      target: new TargetTree(options.target),
      temporaries: new Temporaries(work),
      context: { buffer: Buffer.allocUnsafe(bufferSize), stop, onBytes: (count) => this.#onBytes(count) },
      moving: removesSources(options.mode),
      keepsEmpty: options.patterns.length === 0,
      acceptsPresent,
      own: this.#own,
    };
  }

  run(batch: CopyBatch): CopyMessage {
    try {
      return this.#copy(batch);
    } catch (error) {
      if (error instanceof Stopped) return { kind: "stopped" };
      throw error;
    }
  }

  close(): void {
    this.#log.close();
    this.#setting.sources.close();
    this.#setting.target.close();
    this.#setting.temporaries.close();
  }

  #copy({ kind, rows, own }: CopyBatch): CopiedBatch {
    this.#own.clear();
    for (const placed of own) this.#own.set(placed.row, [...(this.#own.get(placed.row) ?? []), placed]);
    this.#told = 0;
    this.#untold = 0;
    const planned = this.#watched(Buffer.from(rows.buffer, rows.byteOffset, rows.length));
    const entries =
      kind === "files"
        ? copyBatch(planned, this.#log, this.#setting)
        : finishDirectories(planned, this.#setting);
    const counts = noCounts();
    for (const entry of entries) countEntry(counts, entry);
    const lines = Buffer.concat(entries.map(encodeEntry));
    return { kind: "copied", lines, counts, lastFile: this.#file(), told: this.#told };
  }

  *#watched(bytes: Buffer): Generator<PlanRow> {
    for (const row of decodeRows(bytes)) {
      this.#row = row;
      yield row;
    }
  }

  /** The file at hand, for people. */
  #file(): string {
    if (this.#row === undefined) return "";
    return sourcePath(this.#setting.sources.root(this.#row.source), this.#row.path).toString();
  }

  #onBytes(count: number): void {
    this.#untold += count;
    if (this.#untold < bytesPerMessage) return;
    const message: CopyBytes = { kind: "bytes", bytes: this.#untold, file: this.#file() };
    self.postMessage(message);
    this.#told += this.#untold;
    this.#untold = 0;
  }
}

serveThread<CopyStart, CopyBatch, CopyMessage>(self, (start) => new Copier(start));
