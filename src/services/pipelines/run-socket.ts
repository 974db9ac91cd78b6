/** `WS /ws/pipeline/:id`: how a pipeline's runs go, at most five frames a second and always the last one. */
import { Failure } from "../../platform/http/failures.ts";
import { bearerToken } from "../../platform/identity/bearer.ts";
import type { Sessions } from "../../platform/identity/sessions.ts";
import type { Connection, Socket, SocketRoute, UpgradeRequest } from "../../platform/realtime/sockets.ts";
import type { Topics } from "../../platform/realtime/topics.ts";
import { idOf, numberOf } from "./ids.ts";
import type { Pipelines } from "./pipelines.ts";
import type { RunState } from "./run/worker.ts";
import { newsTopic, type Run, type RunNews, type Runs } from "./runs.ts";

const codes = { unauthenticated: 4001, unknown: 4404 } as const;
const frameMilliseconds = 200;
/** Runs of other servers are not told of at each step: they are looked for. */
const lookMilliseconds = 1_000;

export interface RunSocketOptions {
  sessions: Sessions;
  topics: Topics;
  pipelines: Pipelines;
  runs: Runs;
  /** What a run that goes on here is doing. */
  stateOf(runId: number): RunState | null;
  /** Now, in milliseconds. */
  now: () => number;
  onError(error: unknown): void;
}

const refuse = (code: number, reason: string): Connection => ({
  open: (socket) => socket.close(code, reason),
});

export class RunSockets {
  private readonly options: RunSocketOptions;

  constructor(options: RunSocketOptions) {
    this.options = options;
  }

  get route(): SocketRoute {
    return { path: "/ws/pipeline/:pipeline_id", connect: (upgrade) => this.connect(upgrade) };
  }

  private async connect({ request, params }: UpgradeRequest): Promise<Connection> {
    const { sessions, pipelines } = this.options;
    const inQuery = new URL(request.url).searchParams.get("token");
    const token = bearerToken(request.headers.get("authorization")) ?? inQuery ?? "";
    const identity = await sessions.identify(token);
    if (identity instanceof Failure) return refuse(codes.unauthenticated, "Not authenticated");
    const id = numberOf("pipeline", params.pipeline_id ?? "");
    const known = id === null ? null : await pipelines.find(id).catch(() => null);
    if (id === null || known === null) return refuse(codes.unknown, "Pipeline not found");
    return this.connection(id, identity.sessionId);
  }

  private connection(pipelineId: number, sessionId: string): Connection {
    const { sessions } = this.options;
    let stop = () => {};
    return {
      open: (socket) => {
        const unwatch = sessions.watch(sessionId, () =>
          socket.close(codes.unauthenticated, "Not authenticated"),
        );
        const unfollow = this.follow(pipelineId, socket);
        stop = () => {
          unwatch();
          unfollow();
        };
      },
      close: () => stop(),
    };
  }

  /** Tells the socket what changed; answers how to stop. */
  private follow(pipelineId: number, socket: Socket): () => void {
    const { topics, onError } = this.options;
    let isOver = false;
    let isWanted = true;
    let last = "";
    const unsubscribe = topics.subscribe<RunNews>(newsTopic, (news) => {
      if (news.pipelineId === pipelineId) isWanted = true;
    });
    const looking = setInterval(() => {
      isWanted = true;
    }, lookMilliseconds);
    const tell = async () => {
      while (!isOver) {
        if (isWanted) {
          isWanted = false;
          const frame = await this.frame(pipelineId);
          const { timestamp, ...state } = frame;
          const text = JSON.stringify(state);
          if (text !== last && !isOver) socket.send(JSON.stringify({ ...state, timestamp }));
          last = text;
        }
        await Bun.sleep(frameMilliseconds);
      }
    };
    tell().catch(onError);
    return () => {
      isOver = true;
      clearInterval(looking);
      unsubscribe();
    };
  }

  private async frame(pipelineId: number) {
    const { runs, stateOf, now } = this.options;
    const run = await runs.latest(pipelineId);
    return frameOf(pipelineId, run, run ? stateOf(run.id) : null, now());
  }
}

function frameOf(pipelineId: number, run: Run | null, state: RunState | null, now: number) {
  const isRunning = run?.status === "running";
  return {
    type: "pipeline_status",
    pipeline_id: idOf("pipeline", pipelineId),
    run_id: run ? idOf("run", run.id) : null,
    status: run?.status ?? "idle",
    phase: isRunning ? (state?.phase ?? run.phase) : null,
    rows_processed: (isRunning ? state?.rows : undefined) ?? run?.rows_processed ?? 0,
    timestamp: new Date(now).toISOString(),
    ...(run?.error && run.status !== "success" ? { error: run.error } : {}),
  };
}
