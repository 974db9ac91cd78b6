/** A collecting job from its first file to its result. */
import { rm } from "node:fs/promises";
import type { JobKind, JobRun } from "../../platform/jobs/jobs.ts";
import { reasonOf } from "../../platform/telemetry/startup-error.ts";
import { archiveFileName, formatOf, writeArchive } from "./archive/archive.ts";
import type { ArchiveEntry } from "./archive/entry.ts";
import { Artifacts } from "./artifacts.ts";
import { type Collected, collectFiles, type Progress } from "./collect/collect.ts";
import { finish } from "./collect/finish.ts";
import type { CollectOptions } from "./collect/options.ts";
import { removeSources } from "./collect/removal-phase.ts";
import { listSources } from "./collect/survey.ts";
import { workDirectory } from "./collect/work-directory.ts";
import { collectOptions, type Fences } from "./collect-options.ts";
import { jobKind, type StoredProgress } from "./job-view.ts";
import { sendReport } from "./mail.ts";
import { writeManifest } from "./manifest.ts";
import type { CollectRequest, Results } from "./schemas.ts";
import { writeSystemInfo } from "./system-info.ts";

export interface CollectJobOptions {
  fences: Fences;
  concurrency: number;
  /** Largest archive that is mailed, in bytes. */
  attachmentLimit: number;
  /** Opens a sealed password. */
  openSecret(sealed: string): string;
  /** Tells the rest of the product: `collect.finished` or `collect.failed`. */
  onEnd(event: "collect.finished" | "collect.failed", id: string): Promise<void>;
}

/** Files that a dry run lists; the counts are those of all. */
const longestList = 10_000;

/** What one run of a job works with. */
interface Collection {
  id: string;
  request: CollectRequest;
  options: CollectOptions;
  signal: AbortSignal;
  onProgress(progress: Progress): void;
  /** Told which file is being archived, all having arrived; null when the archive is whole. */
  onArchiving(path: string | null): void;
}

/** Collects, and makes what the request asks for beside the files. Interrupted anywhere, it goes on where it was. */
async function runCollection(collection: Collection): Promise<Results> {
  const { request, options, signal } = collection;
  const started = performance.now();
  const collected = await collectFiles(options, collection);
  const artifacts = new Artifacts(workDirectory(options), request.target_path);
  const warnings = [...collected.warnings];

  const info = request.collect_system_info
    ? await artifacts.make("pc_info.json", (path) => writeSystemInfo(path, signal))
    : null;
  const archive =
    request.create_archive || request.archive_only
      ? await makeArchive(collection, collected, artifacts, info, warnings)
      : null;
  warnings.push(...(await removeSources(options, collected, { signal })).warnings);
  const manifest = await artifacts.make("manifest.json", (path) =>
    writeManifest(path, collected.records(), {
      job_id: collection.id,
      operation_mode: request.operation_mode,
      source_paths: request.source_paths,
      target_path: request.target_path,
    }),
  );
  return {
    total_files: collected.totalFiles,
    processed_files: collected.processedFiles,
    failed_files: collected.failedFiles,
    skipped_files: collected.skippedFiles,
    bytes: collected.bytes,
    duration_seconds: Math.round(performance.now() - started) / 1000,
    target_path: request.target_path,
    archive_created: archive !== null,
    archive_path: archive,
    pc_info_collected: info !== null,
    pc_info_path: info,
    manifest_path: manifest,
    warnings,
  };
}

/** What goes into the archive: every file that arrived, as it lies in the target, and pc_info.json. */
async function* archiveEntries(
  options: CollectOptions,
  collected: Collected,
  info: string | null,
): AsyncGenerator<ArchiveEntry[]> {
  const target = Buffer.from(`${options.target}/`);
  for await (const records of collected.records())
    yield records.flatMap(({ status, type, target: name, size, mode, mtimeNs }) => {
      if (status === "failed" || status === "skipped" || type === "special") return [];
      return [{ path: Buffer.concat([target, name]), name, type, size, mode, mtimeNs }];
    });
  if (info !== null) {
    const { size, mtimeMs } = await Bun.file(info).stat();
    const mtimeNs = BigInt(Math.floor(mtimeMs)) * 1_000_000n;
    yield [
      {
        path: Buffer.from(info),
        name: Buffer.from("pc_info.json"),
        type: "file",
        size,
        mode: 0o644,
        mtimeNs,
      },
    ];
  }
}

async function makeArchive(
  { request, options, signal, onArchiving }: Collection,
  collected: Collected,
  artifacts: Artifacts,
  info: string | null,
  warnings: string[],
): Promise<string> {
  const format = formatOf(request.archive_format, request.archive_compression ?? null);
  if (request.archive_compression && request.archive_format !== "tar")
    warnings.push(`archive_compression is for tar archives and was ignored for ${request.archive_format}`);
  return await artifacts.make(archiveFileName(format), async (path) => {
    const entries = archiveEntries(options, collected, info);
    const onProgress = (_entries: number, _bytes: number, name: string) => onArchiving(name);
    const written = await writeArchive(format, entries, path, { signal, onProgress });
    onArchiving(null);
    warnings.push(...written.warnings);
  });
}

/** What a collection would do: counts, bytes and a list. Nothing is written. */
async function survey({ request, options, signal }: Collection): Promise<Results> {
  const started = performance.now();
  const found = await listSources(options, { signal, deadlineMs: Number.MAX_SAFE_INTEGER });
  const files: { path: string; size: number }[] = [];
  try {
    for await (const group of found.list()) {
      files.push(...group.slice(0, longestList - files.length));
      if (files.length >= longestList) break;
    }
  } finally {
    await found.close();
  }
  return {
    total_files: found.files,
    processed_files: 0,
    failed_files: 0,
    skipped_files: 0,
    bytes: found.bytes,
    duration_seconds: Math.round(performance.now() - started) / 1000,
    target_path: request.target_path,
    archive_created: false,
    archive_path: null,
    pc_info_collected: false,
    pc_info_path: null,
    manifest_path: null,
    warnings: found.warnings,
    dry_run: true,
    files,
  };
}

/** Sends the report where one is asked for; its failure never makes the job's. */
async function mail(
  results: Results,
  request: CollectRequest,
  jobId: string,
  job: CollectJobOptions,
): Promise<Results> {
  const config = request.email_config;
  if (!config) return results;
  const password = config.password ? job.openSecret(config.password) : null;
  const error = await sendReport({ config, password, results, jobId, attachmentLimit: job.attachmentLimit });
  return { ...results, email_sent: error === null, ...(error === null ? {} : { email_error: error }) };
}

/** Removes what a job kept for being taken up again. Finished files stay, those of an archive alone go. */
export async function cleanUp(request: CollectRequest, id: string, fences: Fences): Promise<void> {
  if (request.dry_run) return;
  const options = collectOptions(request, id, fences);
  await finish(options);
  if (request.archive_only) await rm(options.target, { recursive: true, force: true });
}

/** Who asks for a collection, stops it and watches it. */
export interface RequestRun {
  id: string;
  request: CollectRequest;
  fences: Fences;
  signal: AbortSignal;
  onProgress(progress: StoredProgress): void;
}

/**
 * Does what a request asks for. Fails with an Error that reads "Collection failed: …" and leaves nothing half-written; when it was stopped only for now
 * (any reason but `cancelled`) everything stays that another run with the same id needs to go on.
 */
export async function runRequest({ id, request, fences, signal, onProgress }: RequestRun): Promise<Results> {
  const options = collectOptions(request, id, fences);
  let latest: StoredProgress = { current: 0, total: 0, currentFile: "" };
  const collection: Collection = {
    id,
    request,
    options,
    signal,
    onProgress({ current, total, currentFile }) {
      latest = { current, total, currentFile };
      onProgress(latest);
    },
    onArchiving: (path) => onProgress({ ...latest, currentFile: path ?? latest.currentFile }),
  };
  if (request.dry_run) return await survey(collection);
  try {
    return await runCollection(collection);
  } catch (error) {
    if (signal.aborted && signal.reason !== "cancelled") throw error;
    await cleanUp(request, id, fences);
    throw new Error(`Collection failed: ${reasonOf(error)}`);
  }
}

/** The Collector's kind of durable work. */
export function collectJob(job: CollectJobOptions): JobKind {
  const { fences } = job;
  return {
    kind: jobKind,
    concurrency: job.concurrency,
    async run({ id, payload, signal, progress }: JobRun) {
      const request = payload as CollectRequest;
      const results = await runRequest({ id, request, fences, signal, onProgress: progress });
      return await mail(results, request, id, job);
    },
    keep: withoutPassword,
    async afterEnd({ id, payload, status }) {
      await cleanUp(payload as CollectRequest, id, fences);
      if (status !== "cancelled")
        await job.onEnd(status === "completed" ? "collect.finished" : "collect.failed", id);
    },
  };
}

/** A request without its SMTP password, sealed or not. */
function withoutPassword(payload: unknown): object {
  const request = payload as CollectRequest;
  if (!request.email_config) return request;
  const { password: _, ...email } = request.email_config;
  return { ...request, email_config: email };
}
