/** Runs every attack as the user of this process; as a program it prints what came of them. */
import { PythonError } from "../../../src/services/pipelines/run/python/python-error.ts";
import { transformWithPython } from "../../../src/services/pipelines/run/python/transform.ts";
import { type Attack, attacks } from "./attacks.ts";

export interface Outcome {
  name: string;
  answer?: string;
  message?: string;
}

/** Runs one attack on one row. */
export async function attempt({ name, code, limits }: Attack, directory: string): Promise<Outcome> {
  const chunks = (async function* () {
    yield Buffer.from("1\n");
  })();
  const columns = [{ name: "a", type: { kind: "int64" as const }, nullable: true }];
  const options = { directory, signal: AbortSignal.timeout(60_000), ...(limits && { limits }) };
  try {
    const rows = await transformWithPython({ columns, chunks }, code, options);
    return { name, answer: Buffer.concat(await Array.fromAsync(rows.chunks)).toString() };
  } catch (error) {
    if (error instanceof PythonError) return { name, message: error.message };
    throw error;
  }
}

if (import.meta.main) {
  const directory = process.argv[2] ?? "";
  const outcomes: Outcome[] = [];
  for (const attack of attacks(directory)) outcomes.push(await attempt(attack, directory));
  console.log(JSON.stringify({ user: process.getuid?.(), outcomes }));
}
