/** Where `quintet pipelines` asks: a server, or its database. */
import type { RunStatus } from "../runs.ts";

export interface ListedPipeline {
  id: string;
  name: string;
  status: string;
  /** The newest one. */
  version: number;
  schedule: string | null;
}

/** What is to be run. */
export interface Errand {
  pipelineId: number;
  /** Null: the one that is deployed. */
  version: number | null;
  /** Under the same name there is one run, however often it is asked for. */
  runId: string;
  parameters: Record<string, unknown>;
}

export interface LogLine {
  id: number;
  at: string;
  level: string;
  message: string;
}

export interface RunView {
  status: RunStatus;
  error: string | null;
}

/** A run that was asked for. */
export interface FollowedRun {
  /** `run_12`. */
  id: string;
  look(): Promise<RunView>;
  /** Lines of its log after one of them, in order. */
  lines(after: number): Promise<LogLine[]>;
  /** Has it cancelled, unless it is over. */
  cancel(): Promise<void>;
}

export interface Office {
  list(): Promise<ListedPipeline[]>;
  request(errand: Errand): Promise<FollowedRun>;
  close(): Promise<void>;
}
