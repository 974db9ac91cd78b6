/** What all benchmarks of pipelines share. */
import type { PipelinesClient } from "./pipelines-runs.ts";
import type { Postgres } from "./pipelines-systems.ts";
import type { Conditions, Contender } from "./pipelines-turns.ts";

/** The databases of the one PostgreSQL: one is read, the other written to. */
export const [from, to] = ["source", "target"];

export interface Bench extends Conditions {
  client: PipelinesClient;
  postgres: Postgres;
  /** The connector of the database that is read. */
  source: string;
  /** The connector of the one that is written to. */
  target: string;
  /** Where files may be read and written. */
  directory: string;
}

/** Ours: a pipeline that is there, run. */
export const oursOf = (
  { client }: Bench,
  pipeline: string,
  result: Omit<Contender, "name" | "run">,
): Contender => ({ name: "ours", run: () => client.run(pipeline), ...result });

/** A table of the database that is written to, as a turn's result. */
export const tableIn = ({ postgres }: Bench, table: string, summary: (table: string) => string) => ({
  summary: () => postgres.run(to, summary(table)),
  remove: () => postgres.run(to, `drop table if exists ${table}`),
});
