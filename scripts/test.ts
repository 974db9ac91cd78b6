/**
 * `npm test`: formatting and lint, types, unused code, then the tests. The last line counts them: `N passed, N failed`.
 *
 * Arguments are handed to `bun test`, for example a path.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

/** Runs a step in the foreground; answers whether it succeeded. */
async function step(name: string, command: string[]): Promise<boolean> {
  console.log(`\n— ${name}`);
  const child = Bun.spawn(command, { cwd: root, stdout: "inherit", stderr: "inherit", stdin: "ignore" });
  return (await child.exited) === 0;
}

const bun = process.execPath;
const bin = (name: string) => join(root, "node_modules/.bin", name);

/** Sums an attribute of the report's outermost element. */
function attribute(report: string, name: string): number {
  const outermost = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? "";
  return Number(new RegExp(`\\b${name}="(\\d+)"`).exec(outermost)?.[1] ?? 0);
}

async function runTests(): Promise<{ passed: number; failed: number }> {
  const directory = mkdtempSync(join(tmpdir(), "quintet-report-"));
  const outfile = join(directory, "junit.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${outfile}`];
  const succeeded = await step("tests", [
    bun,
    "test",
    "--timeout=120000",
    ...reporter,
    ...process.argv.slice(2),
  ]);
  let [passed, failed] = [0, 0];
  try {
    const report = readFileSync(outfile, "utf8");
    failed = attribute(report, "failures");
    passed = attribute(report, "tests") - failed - attribute(report, "skipped");
  } catch {
    console.error("the tests left no report");
  }
  rmSync(directory, { recursive: true });
  return { passed, failed: succeeded ? failed : Math.max(failed, 1) };
}

const checks: [string, string[]][] = [
  ["packing assets", [bun, "scripts/pack.ts"]],
  ["format and lint", [bin("biome"), "ci", "--colors=off", "--error-on-warnings", "."]],
  ["types", [bun, "--bun", bin("tsc"), "--noEmit"]],
  ["unused code", [bun, "--bun", bin("knip")]],
];

let broken = 0;
for (const [name, command] of checks) if (!(await step(name, command))) broken++;
const { passed, failed } = await runTests();
console.log(`\n${passed + checks.length - broken} passed, ${failed + broken} failed`);
process.exit(failed + broken === 0 ? 0 : 1);
