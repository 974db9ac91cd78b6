/** The DAG files of what is deployed. */
import type { Sql } from "postgres";
import type { Queries } from "../../../../platform/database/connect.ts";
import type { Definition } from "../../definition.ts";
import type { PipelineStatus } from "../../pipelines.ts";
import { type DagSource, renderDag } from "./dag.ts";
import type { DagsDirectory } from "./dags-directory.ts";
import { dagIdOf } from "./names.ts";
import { program } from "./program.ts";

/** Any number: who holds this advisory lock writes DAG files. */
const writeLock = 5_111_900_831;

interface Row {
  id: number;
  version: number;
  name: string;
  description: string;
  status: PipelineStatus;
  is_deployed: boolean;
  schedule: string | null;
  definition: Definition;
  since: Date;
}

export class Deployments {
  private readonly sql: Sql;
  private readonly directory: DagsDirectory;

  constructor(sql: Sql, directory: DagsDirectory) {
    this.sql = sql;
    this.directory = directory;
  }

  /**
   * Makes the directory hold what is deployed, no matter what was there: servers that do it at the same moment wait for one another. A paused pipeline's DAG has no
   * schedule, nor has that of an older version, which stays only while a run of it is open.
   */
  async write(): Promise<void> {
    await this.sql.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(${writeLock})`;
      const sources = (await wanted(tx)).map(sourceOf);
      const files = sources.map(
        (source) => [`${dagIdOf(source.pipelineId, source.version)}.py`, renderDag(source, program)] as const,
      );
      await this.directory.replaceAll(new Map(files));
    });
  }
}

const wanted = (tx: Queries) => tx<Row[]>`
  with open as (select distinct pipeline_id, version from pipelines.runs
    where status in ('pending', 'running') and airflow_dag_id is not null)
  select p.id, v.version, p.name, p.description, p.status, v.version = p.deployed_version as is_deployed, v.schedule, v.definition,
    coalesce(p.scheduled_since, v.created_at) as since
  from pipelines.pipelines p join pipelines.versions v on v.pipeline_id = p.id
  where p.deleted_at is null and p.deployed_version is not null
    and (v.version = p.deployed_version or (p.id, v.version) in (select pipeline_id, version from open))`;

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function sourceOf(row: Row): DagSource {
  const { id: pipelineId, version, name, description, since } = row;
  const isScheduled = row.is_deployed && row.status === "active" && row.schedule !== null;
  const zone = row.definition.config.timezone ?? ownZone;
  const schedule = isScheduled ? { expression: row.schedule ?? "", zone } : null;
  return { pipelineId, version, name, description, schedule, since };
}
