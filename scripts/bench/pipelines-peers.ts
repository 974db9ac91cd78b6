/** What administrators would use instead, as commands that are joined by pipes. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { benchDirectory } from "./measure.ts";
import { commandLine, output } from "./pipelines-commands.ts";
import { psqlFlags } from "./pipelines-systems.ts";

/** psql with statements; several of them in one transaction. */
export const psql = (database: string, ...statements: string[]): string =>
  commandLine([
    ...["psql", "-d", database, ...psqlFlags],
    ...(statements.length > 1 ? ["-1"] : []),
    ...statements.flatMap((each) => ["-c", each]),
  ]);

/** A Python program that is given a file to read and one to write. */
export interface PythonPeer {
  name: string;
  /** The command; of a pipe, or with a header between two files. */
  command(from: string, to: string, isFile: boolean): string;
}

const systemPython = "/usr/bin/python3";
const duckDbVersion = "2.0.0";

/** DuckDB finds out the types of a file, as we do; of a pipe, which comes from a table, it is told them, as we are. */
const duckDbProgram = `
import duckdb, sys
source, target, is_file = sys.argv[1], sys.argv[2], sys.argv[3] == "true"
types = {"id": "INTEGER", "customer": "BIGINT", "amount": "DECIMAL(12,2)", "note": "VARCHAR",
  "created_at": "TIMESTAMPTZ", "shipped_at": "TIMESTAMP", "is_paid": "BOOLEAN"}
told = "" if is_file else f", auto_detect = false, header = false, columns = {types}"
duckdb.execute(f"""copy (select customer, count(*) as n, sum(amount) as total, avg(amount) as mean
  from read_csv('{source}'{told}) group by customer) to '{target}' (format csv, header {is_file})""")
`;

const pandasProgram = `
import pandas, sys
source, target, is_file = sys.argv[1], sys.argv[2], sys.argv[3] == "true"
names = None if is_file else ["id", "customer", "amount", "note", "created_at", "shipped_at", "is_paid"]
df = pandas.read_csv(source, header=0 if is_file else None, names=names)
groups = df.groupby("customer").agg(n=("amount", "size"), total=("amount", "sum"), mean=("amount", "mean"))
groups.reset_index().to_csv(target, index=False, header=is_file)
`;

const peerOf = (name: string, python: string, program: string): PythonPeer => ({
  name,
  command: (from, to, isFile) => commandLine([python, "-c", program, from, to, String(isFile)]),
});

/** DuckDB's own package, kept between runs. Throws with pip's complaint when it cannot be had. */
export async function duckDbPeer(): Promise<PythonPeer> {
  const directory = join(benchDirectory, `duckdb-${duckDbVersion}`);
  const python = join(directory, "bin/python");
  if (!existsSync(join(directory, "complete"))) {
    rmSync(directory, { recursive: true, force: true });
    await output([systemPython, "-m", "venv", directory]);
    await output([python, "-m", "pip", "install", "--quiet", `duckdb==${duckDbVersion}`]);
    await Bun.write(join(directory, "complete"), "");
  }
  return peerOf(`DuckDB ${duckDbVersion} (Python)`, python, duckDbProgram);
}

/** The system's pandas. Throws when there is none. */
export async function pandasPeer(): Promise<PythonPeer> {
  const version = await output([systemPython, "-c", "import pandas; print(pandas.__version__)"]);
  return peerOf(`pandas ${version}`, systemPython, pandasProgram);
}
