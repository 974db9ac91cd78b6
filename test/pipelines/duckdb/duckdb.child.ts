/** The program that executable.test.ts compiles: one transformation in DuckDB. Its argument is the data directory. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RowStream } from "../../../src/services/pipelines/connect/types.ts";
import { transformWithSql } from "../../../src/services/pipelines/run/duckdb/transform.ts";

const dataDirectory = process.argv[2] ?? "";
const directory = join(process.cwd(), "run");

async function* chunks() {
  yield Buffer.from("1\tраз\n2\tдва\\n\n");
}

try {
  mkdirSync(directory, { recursive: true });
  const start = performance.now();
  const input: RowStream = {
    columns: [
      { name: "id", type: { kind: "int32" }, nullable: false },
      { name: "name", type: { kind: "text" }, nullable: false },
    ],
    chunks: chunks(),
  };
  const { signal } = new AbortController();
  const { chunks: answer } = await transformWithSql(input, "SELECT * FROM input WHERE id = $1", {
    dataDirectory,
    directory,
    parameters: [2],
    signal,
  });
  for await (const chunk of answer) process.stdout.write(chunk);
  console.log(`${Math.round(performance.now() - start)} ms`);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
