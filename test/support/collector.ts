/** A client of the Collector, as its document shows one. */

/** Starts a collection and answers what the server said. Throws when it was refused. */
export async function collectTree(url: string, request: object): Promise<{ job_id: string; status: string }> {
  const response = await fetch(`${url}/api/v1/collect`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as { job_id: string; status: string };
}

export interface JobResult {
  job_id: string;
  status: string;
  results: Record<string, unknown>;
}

/** Asks for a job's result until it is over. */
export async function waitForResult(url: string, jobId: string): Promise<JobResult> {
  for (;;) {
    const response = await fetch(`${url}/api/v1/result/${jobId}`);
    if (response.status !== 202) return (await response.json()) as JobResult;
    await Bun.sleep(20);
  }
}

/** Follows a job on the WebSocket until the server closes it. `first` is sent once connected. */
export function followJob(
  url: string,
  jobId: string,
  first?: object,
): Promise<{ frames: object[]; code: number }> {
  return new Promise((resolve) => {
    const frames: object[] = [];
    const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/ws/progress/${jobId}`);
    socket.onopen = () => {
      if (first) socket.send(JSON.stringify(first));
    };
    socket.onmessage = (event) => frames.push(JSON.parse(String(event.data)) as object);
    socket.onclose = (event) => resolve({ frames, code: event.code });
  });
}
