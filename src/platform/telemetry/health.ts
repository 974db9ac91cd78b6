/** `/health` and `/health/detailed`: whether the server can do its work, as the pipelines document shows. */
import { Elysia } from "elysia";
import { z } from "zod";

/** How one component is. */
export interface ComponentHealth {
  status: "healthy" | "unhealthy" | "not_configured";
  latency_ms?: number;
}

/** What a probe answers for a component that nobody uses here. */
export const notConfigured = Symbol("not configured");

/** Asks a component; rejects when it is not well. A number is the latency in milliseconds as it measured it itself. Null: it is not configured. */
export type Probe = (() => Promise<unknown>) | null;

const probeLimitMilliseconds = 3_000;

const summary = z.object({
  status: z.enum(["healthy", "unhealthy"]),
  version: z.string(),
  timestamp: z.string().describe("ISO 8601"),
});

const component = z.object({
  status: z.enum(["healthy", "unhealthy", "not_configured"]),
  latency_ms: z.number().optional().describe("Milliseconds that the component took to answer"),
});

const detailed = summary.extend({ components: z.record(z.string(), component) });

async function measure(probe: Probe, onFault: (error: unknown) => void): Promise<ComponentHealth> {
  if (!probe) return { status: "not_configured" };
  const start = performance.now();
  const late = Bun.sleep(probeLimitMilliseconds).then(() => Promise.reject(new Error("no answer in time")));
  try {
    const answer = await Promise.race([probe(), late]);
    if (answer === notConfigured) return { status: "not_configured" };
    const latency = typeof answer === "number" ? answer : performance.now() - start;
    return { status: "healthy", latency_ms: Math.round(latency * 10) / 10 };
  } catch (error) {
    onFault(error);
    return { status: "unhealthy" };
  } finally {
    late.catch(() => {});
  }
}

export interface HealthOptions {
  probes: Record<string, Probe> & { database: Probe };
  version: string;
  /** Told why a component is not well. */
  onFault(component: string, error: unknown): void;
}

/** The two routes. Only the database decides: without it nothing works, and the answer is 503. */
export function healthRoutes({ probes, version, onFault }: HealthOptions) {
  const ask = (name: string) => measure(probes[name] ?? null, (error) => onFault(name, error));
  const base = (database: ComponentHealth) => ({
    status: database.status === "healthy" ? ("healthy" as const) : ("unhealthy" as const),
    version,
    timestamp: new Date().toISOString(),
  });
  const statusOf = (database: ComponentHealth) => (database.status === "healthy" ? 200 : 503);
  return new Elysia({ tags: ["Platform"] })
    .get(
      "/health",
      async ({ status }) => {
        const database = await ask("database");
        return status(statusOf(database), base(database));
      },
      {
        response: { 200: summary, 503: summary },
        detail: {
          summary: "Health",
          description: "Whether the server and its database answer.",
          tags: ["Platform"],
        },
      },
    )
    .get(
      "/health/detailed",
      async ({ status }) => {
        const names = Object.keys(probes);
        const found = await Promise.all(names.map(ask));
        const components = Object.fromEntries(
          names.map((name, index) => [name, found[index] as ComponentHealth]),
        );
        const database = components.database ?? { status: "unhealthy" };
        return status(statusOf(database), { ...base(database), components });
      },
      {
        response: { 200: detailed, 503: detailed },
        detail: {
          summary: "Health of each component",
          description: "Latencies are measured now.",
          tags: ["Platform"],
        },
      },
    );
}
