import {
  append,
  closeQuietly,
  openPath,
  syncData,
  syncFileSystem,
} from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { decodeEntries, type JournalEntry, journalFiles } from "./journal.ts";
import { journalEntries } from "./journal-reader.ts";
import { type CollectOptions, removesSources } from "./options.ts";
import { EmptiedDirectories, isRemovable, type KeptSource, removeSource } from "./removal.ts";
import type { SourceRoot } from "./roots.ts";
import { SourceTree } from "./source-tree.ts";
import { type StopFlag, Stopped, throwIfStopped } from "./stop-flag.ts";
import { serveThread, type ThreadTask } from "./thread.ts";

/** The first message. */
export interface CommitStart {
  options: CollectOptions;
  work: string;
  roots: SourceRoot[];
  stop: StopFlag;
}

/** Make finished batches durable; remove what the journal says is safe; remove directories that this left empty. */
export type CommitRequest =
  | { kind: "commit"; lines: Uint8Array[] }
  | { kind: "removeAll" }
  | { kind: "removeDirectories" };

export type CommitMessage = { kind: "done" } | { kind: "stopped" };

declare const self: Worker;

class Committer implements ThreadTask<CommitRequest, CommitMessage> {
  readonly #options: CollectOptions;
  readonly #work: string;
  readonly #stop: StopFlag;
  readonly #sources: SourceTree;
  readonly #directory: number;
  readonly #journal: number;

  constructor({ options, work, roots, stop }: CommitStart) {
    this.#options = options;
    this.#work = work;
    this.#stop = stop;
    this.#sources = new SourceTree(roots);
    this.#directory = openPath(work, openFlag.directory);
    this.#journal = openPath(
      journalFiles(work).entries,
      openFlag.writeOnly | openFlag.create | openFlag.append,
      0o600,
    );
  }

  run(request: CommitRequest): CommitMessage {
    try {
      this.#serve(request);
      return { kind: "done" };
    } catch (error) {
      if (error instanceof Stopped) return { kind: "stopped" };
      throw error;
    }
  }

  close(): void {
    this.#sources.close();
    closeQuietly(this.#directory);
    closeQuietly(this.#journal);
  }

  #serve(request: CommitRequest): void {
    switch (request.kind) {
      case "commit":
        this.#commit(request.lines);
        break;
      case "removeAll":
        this.#removeAll();
        break;
      case "removeDirectories":
        this.#removeDirectories();
        break;
    }
  }

  /** The order is the promise: content durable, journal durable, and only then may a source go. */
  #commit(lines: Uint8Array[]): void {
    syncFileSystem(this.#directory);
    throwIfStopped(this.#stop);
    append(this.#journal, Buffer.concat(lines));
    if (!removesSources(this.#options.mode)) return;
    syncData(this.#journal);
    if (this.#options.mode === "move_remove") this.#remove(lines.flatMap((part) => decodeEntries(part)));
  }

  #removeAll(): void {
    for (const entries of journalEntries(journalFiles(this.#work).entries)) this.#remove(entries);
  }

  #remove(entries: readonly JournalEntry[]): void {
    const kept: KeptSource[] = [];
    for (const entry of entries) {
      throwIfStopped(this.#stop);
      const reason = isRemovable(entry) ? removeSource(entry, this.#sources) : undefined;
      if (reason !== undefined) kept.push(reason);
    }
    if (kept.length > 0) this.#keep(kept);
  }

  #keep(kept: readonly KeptSource[]): void {
    const flags = openFlag.writeOnly | openFlag.create | openFlag.append;
    const file = openPath(journalFiles(this.#work).kept, flags, 0o600);
    append(file, Buffer.from(kept.map((source) => `${JSON.stringify(source)}\n`).join("")));
    closeQuietly(file);
  }

  #removeDirectories(): void {
    const emptied = new EmptiedDirectories();
    for (const entries of journalEntries(journalFiles(this.#work).entries)) {
      throwIfStopped(this.#stop);
      for (const entry of entries) {
        const collected =
          entry.type === "directory" && entry.status === "copied" && this.#options.patterns.length === 0;
        if (collected || isRemovable(entry)) emptied.add(entry, collected);
      }
    }
    emptied.remove(this.#sources);
  }
}

serveThread<CommitStart, CommitRequest, CommitMessage>(self, (start) => new Committer(start));
