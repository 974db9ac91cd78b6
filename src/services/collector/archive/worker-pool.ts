/** Workers that each do one task at a time; the next task goes to whoever is free. */

interface Waiting<Task, Reply> {
  task: Task;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** How long a worker may take to end the task that it is in, in milliseconds. */
const graceMilliseconds = 700;

/** What a pool's worker answers: the reply, or why the task failed. */
export type Answer<Reply> = { reply: Reply } | { error: string };

export class WorkerPool<Task, Reply> {
  private readonly idle: Worker[] = [];
  private readonly busy = new Map<Worker, Waiting<Task, Reply>>();
  private readonly waiting: Waiting<Task, Reply>[] = [];
  private closed: Error | null = null;
  private ending: Promise<void> | null = null;

  /** Starts `size` workers of the program at `url`; see `workerUrl`. */
  constructor(url: string, size: number) {
    for (let index = 0; index < size; index++) {
      const worker = new Worker(url);
      worker.onmessage = ({ data }: MessageEvent<Answer<Reply>>) => this.settle(worker, data);
      worker.onerror = (event) => void this.close(new Error(event.message));
      this.idle.push(worker);
    }
  }

  /** Does a task. The order of replies is the caller's business. Rejects when the task fails or the pool is closed. */
  run(task: Task): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(this.closed);
      this.waiting.push({ task, resolve, reject });
      this.assign();
    });
  }

  /**
   * Ends the workers; tasks under way are rejected with `reason` at once. Resolves when the workers are gone: each ends the step that it is in, because one
   * that is cut off would leave its files open, unless that takes too long.
   */
  close(reason = new Error("the work was stopped")): Promise<void> {
    this.ending ??= this.endWorkers(reason);
    return this.ending;
  }

  private async endWorkers(reason: Error): Promise<void> {
    this.closed = reason;
    const ending = [...this.busy.keys()].map(ended);
    for (const task of [...this.busy.values(), ...this.waiting.splice(0)]) task.reject(reason);
    this.busy.clear();
    for (const worker of this.idle.splice(0)) worker.terminate();
    await Promise.all(ending);
  }

  private assign(): void {
    while (this.waiting.length > 0) {
      const worker = this.idle.pop();
      if (!worker) return;
      const next = this.waiting.shift();
      if (!next) return;
      this.busy.set(worker, next);
      worker.postMessage(next.task);
    }
  }

  private settle(worker: Worker, answer: Answer<Reply>): void {
    const task = this.busy.get(worker);
    if (!task) return;
    this.busy.delete(worker);
    this.idle.push(worker);
    if ("error" in answer) task.reject(new Error(answer.error));
    else task.resolve(answer.reply);
    this.assign();
  }
}

/** Terminates a worker once it has answered, or its time is up. */
async function ended(worker: Worker): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.onmessage = () => resolve();
  worker.onerror = () => resolve();
  const patience = setTimeout(resolve, graceMilliseconds);
  await promise;
  clearTimeout(patience);
  worker.terminate();
}

/**
 * Runs the tasks of an endless source through a pool and hands their replies on in the source's order, with at most `ahead` tasks under way: what
 * comes out slower than it goes in holds the source back.
 */
export async function* inOrder<Task, Reply>(
  tasks: AsyncIterable<Task>,
  run: (task: Task) => Promise<Reply>,
  ahead: number,
): AsyncGenerator<{ task: Task; reply: Reply }> {
  const queue: { task: Task; reply: Promise<Reply> }[] = [];
  const next = async () => {
    const first = queue.shift();
    return first ? { task: first.task, reply: await first.reply } : null;
  };
  try {
    for await (const task of tasks) {
      queue.push({ task, reply: run(task) });
      if (queue.length < ahead) continue;
      const done = await next();
      if (done) yield done;
    }
    for (let done = await next(); done; done = await next()) yield done;
  } finally {
    for (const { reply } of queue) reply.catch(() => {});
  }
}
