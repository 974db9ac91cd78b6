import { test } from "bun:test";

const inCi = process.env.CI === "true";

/**
 * The test function for a test that needs programs of the machine. Where one is missing the test is skipped with the
 * reason in its output; in CI (`CI=true`) it runs, and so fails, because `.ci/run` promises to install them.
 */
export function needs(...programs: string[]): typeof test | typeof test.skip {
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length === 0 || inCi) return test;
  console.warn(`skipping a test: ${missing.join(", ")} not installed`);
  return test.skip;
}
