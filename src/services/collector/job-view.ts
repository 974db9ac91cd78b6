/** How a job looks to its clients. */
import { notFound } from "../../platform/http/failures.ts";
import type { Job, Jobs } from "../../platform/jobs/jobs.ts";
import type { CollectRequest, Progress, Results } from "./schemas.ts";

/** The Collector's kind in the platform's queue. */
export const jobKind = "collect";

/** What a running job notes; see `collect-job.ts`. */
export interface StoredProgress {
  current: number;
  total: number;
  currentFile: string;
}

/**
 * Where a job stands. The percentage is that of the files, one decimal; 100 is kept for the end, because archive and
 * mail come after the last file.
 */
export function progressOf(job: Job): Progress {
  const { current, total, currentFile } = (job.progress ?? {
    current: 0,
    total: 0,
    currentFile: "",
  }) as StoredProgress;
  const share = total === 0 ? 0 : Math.min(99.9, Math.floor((current / total) * 1000) / 10);
  return { percentage: job.status === "completed" ? 100 : share, current, total, current_file: currentFile };
}

/** A collecting job by its id. Fails with `notFound`, also when the id is not well-formed. */
export async function requireJob(jobs: Jobs, id: string): Promise<Job> {
  const job = await jobs.find(id);
  if (job?.kind !== jobKind) throw notFound("Job not found");
  return job;
}

/** What a job that is over came to. */
export function resultOf(job: Job): {
  status: "completed" | "failed" | "cancelled";
  results: Results | { error: string };
} {
  if (job.status === "completed") return { status: "completed", results: job.result as Results };
  const status = job.status === "cancelled" ? "cancelled" : "failed";
  return { status, results: { error: job.error ?? "Collection cancelled" } };
}

/** A job in the list of jobs. */
export function summaryOf(job: Job) {
  const request = job.payload as CollectRequest;
  return {
    job_id: job.id,
    status: job.status,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
    source_paths: request.source_paths,
    target_path: request.target_path,
    operation_mode: request.operation_mode,
    progress: progressOf(job),
  };
}
