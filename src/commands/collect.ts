/** `quintet collect`: a collection without a server and without a database. */
import { type Command, Option } from "commander";
import { Failure } from "../platform/http/failures.ts";
import { reasonOf } from "../platform/telemetry/startup-error.ts";
import type { CollectSummary } from "../services/collector/command.ts";
import { collectOnce } from "../services/collector/command.ts";
import { progressDisplay } from "./progress-display.ts";

interface CollectFlags {
  sourcePaths: string[];
  targetPath: string;
  patterns?: string[];
  patternType: string;
  operationMode: string;
  createArchive?: true;
  archiveFormat: string;
  archiveCompression?: string;
  archiveOnly?: true;
  collectSystemInfo: boolean;
  exclude?: string[];
  dryRun?: true;
}

/** Adds the command; its options are those of `POST /api/v1/collect`. */
export function addCollect(program: Command): void {
  program
    .command("collect")
    .description("collect files without a server")
    .requiredOption("--source-paths <path...>", "files and directories to collect")
    .requiredOption("--target-path <directory>", "directory to collect into")
    .option("--patterns <pattern...>", "collect only files that any of these matches")
    .addOption(
      new Option("--pattern-type <type>", "type of the patterns").choices(["glob", "regex"]).default("glob"),
    )
    .addOption(
      new Option("--operation-mode <mode>", "what becomes of the sources")
        .choices(["copy", "move", "move_remove"])
        .default("copy"),
    )
    .option("--create-archive", "write an archive of the collected files")
    .addOption(
      new Option("--archive-format <format>", "format of the archive")
        .choices(["zip", "tar", "7z"])
        .default("zip"),
    )
    .addOption(
      new Option("--archive-compression <method>", "compression of a tar archive").choices([
        "gzip",
        "bzip2",
        "xz",
      ]),
    )
    .option("--archive-only", "leave the archive alone, without the copies beside it")
    .option("--no-collect-system-info", "write no pc_info.json")
    .option("--exclude <pattern...>", "leave out files that any of these matches")
    .option("--dry-run", "count and list what would be collected; write nothing")
    .addHelpText(
      "after",
      "\nExample:\n  quintet collect --source-paths /var/log --target-path /backup/logs --patterns '*.log' --create-archive",
    )
    .action(collect);
}

/** Exit status 1 when the collection failed or was interrupted; a single file that failed is told in the summary. */
async function collect(flags: CollectFlags): Promise<void> {
  const controller = new AbortController();
  const interrupt = () => controller.abort("cancelled");
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const display = progressDisplay(process.stdout);
  try {
    const summary = await collectOnce(requestOf(flags), {
      signal: controller.signal,
      onProgress: display.update,
    });
    display.stop();
    printSummary(summary);
    process.exit(0);
  } catch (error) {
    display.stop();
    console.error(`Error: ${controller.signal.aborted ? "interrupted" : messageOf(error)}`);
    process.exit(1);
  }
}

const requestOf = (flags: CollectFlags): object => ({
  source_paths: flags.sourcePaths,
  target_path: flags.targetPath,
  patterns: flags.patterns,
  pattern_type: flags.patternType,
  operation_mode: flags.operationMode,
  create_archive: flags.createArchive ?? false,
  archive_format: flags.archiveFormat,
  archive_compression: flags.archiveCompression,
  archive_only: flags.archiveOnly ?? false,
  collect_system_info: flags.collectSystemInfo,
  exclude: flags.exclude,
  dry_run: flags.dryRun ?? false,
});

function messageOf(error: unknown): string {
  if (!(error instanceof Failure)) return reasonOf(error);
  const problems = error.options.problems ?? [];
  return problems.length > 0
    ? problems.map((p) => `${p.path.slice(1).join(".")}: ${p.message}`).join("; ")
    : error.message;
}

function printSummary({ results }: CollectSummary): void {
  for (const { path, size } of results.files ?? []) console.log(`${size}\t${path}`);
  const lines = [
    `Total files: ${results.total_files}`,
    ...(results.dry_run
      ? [`Total bytes: ${results.bytes}`]
      : [`Processed files: ${results.processed_files}`, `Failed files: ${results.failed_files}`]),
    `Target: ${results.target_path}`,
    ...(results.archive_path ? [`Archive: ${results.archive_path}`] : []),
    ...results.warnings.map((warning) => `Warning: ${warning}`),
  ];
  console.log(lines.join("\n"));
}
