/** `WS /api/v1/ws/progress/:job_id`: where a job stands, until it is over. */
import { Failure } from "../../platform/http/failures.ts";
import type { Job, Jobs } from "../../platform/jobs/jobs.ts";
import type { Connection, Socket, SocketRoute } from "../../platform/realtime/sockets.ts";
import { type Access, credentialsOf } from "./access.ts";
import { jobKind, progressOf } from "./job-view.ts";

/** Close codes of our own; 1000 is the end of a job. */
const codes = { done: 1000, unauthenticated: 4001, notFound: 4404 } as const;

/** The frame of a job. One that works shows `pending`, as the document does, whether it waits or runs. */
const frameOf = (job: Job) => ({
  job_id: job.id,
  ...progressOf(job),
  status: job.status === "running" ? "pending" : job.status,
});

const refuse = (code: number, detail: string): Connection => ({
  open(socket) {
    socket.send(JSON.stringify({ detail }));
    socket.close(code, detail);
  },
});

function isPing(message: string | Buffer): boolean {
  try {
    const value: unknown = JSON.parse(message.toString());
    return typeof value === "object" && value !== null && "type" in value && value.type === "ping";
  } catch {
    return false;
  }
}

function follow(jobs: Jobs, first: Job): Connection {
  let unwatch = () => {};
  const tell = (socket: Socket, job: Job | null) => {
    // A job that was cancelled is forgotten: its watchers are told all the same.
    const frame = frameOf(job ?? { ...first, status: "cancelled" });
    socket.send(JSON.stringify(frame));
    if (frame.status !== "pending") socket.close(codes.done, frame.status);
  };
  return {
    open(socket) {
      unwatch = jobs.watch(first.id, (job) => {
        if (job) first = job;
        tell(socket, job);
      });
    },
    message(socket, message) {
      if (isPing(message)) socket.send('{"type":"pong"}');
    },
    close: () => unwatch(),
  };
}

export function progressSocket(jobs: Jobs, access: Access): SocketRoute {
  return {
    path: "/api/v1/ws/progress/:job_id",
    async connect({ request, params, from }) {
      const token = new URL(request.url).searchParams.get("token");
      const caller = await access.identify({ ...credentialsOf(request, from), token });
      if (caller instanceof Failure) return refuse(codes.unauthenticated, caller.message);
      const job = await jobs.find(params.job_id ?? "");
      return job?.kind === jobKind ? follow(jobs, job) : refuse(codes.notFound, "Job not found");
    },
  };
}
