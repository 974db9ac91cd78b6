/** A server, asked over HTTP: the run is done there. */
import { idOf } from "../ids.ts";
import { type Credential, HttpClient, HttpError } from "./http-client.ts";
import type { Errand, FollowedRun, ListedPipeline, Office } from "./office.ts";

const pageSize = 1_000;

export class RemoteOffice implements Office {
  private readonly client: HttpClient;

  constructor(url: string, credential: Credential, leave: AbortSignal) {
    this.client = new HttpClient(url, credential, leave);
  }

  async list(): Promise<ListedPipeline[]> {
    const all: ListedPipeline[] = [];
    for (;;) {
      const { items } = await this.client.ask("GET", `/pipelines?limit=${pageSize}&offset=${all.length}`);
      for (const { id, name, status, version, schedule } of items)
        all.push({ id, name, status, version, schedule });
      if (items.length < pageSize) return all;
    }
  }

  async request({ pipelineId, version, runId, parameters }: Errand): Promise<FollowedRun> {
    const pipeline = `/pipelines/${idOf("pipeline", pipelineId)}`;
    const asked = await this.client.ask("POST", `${pipeline}/run`, {
      body: { parameters, direct: true, ...(version === null ? {} : { version }) },
      headers: { "Idempotency-Key": runId },
    });
    const id = String(asked.run_id);
    const run = `${pipeline}/runs/${id}`;
    return {
      id,
      look: async () => {
        const { status, error } = await this.client.ask("GET", run);
        return { status, error: error?.message ?? null };
      },
      lines: async (after) => (await this.client.ask("GET", `${run}/logs?after=${after}`)).items,
      cancel: async () => {
        await this.client.ask("POST", `${run}/cancel`).catch((error: unknown) => {
          if (!(error instanceof HttpError && error.status === 409)) throw error;
        });
      },
    };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
