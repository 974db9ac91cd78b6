/** The command line. */
import { Command } from "commander";
import { addCollect } from "./commands/collect.ts";
import { addPipelines } from "./commands/pipelines.ts";
import { serve } from "./commands/serve.ts";
import { commit, version } from "./version.ts";

const program = new Command("quintet")
  .description("One executable that gives a closed network its back office.")
  .version(`quintet ${version} (${commit})`, "-v, --version")
  // `pipelines run` has a --version of its own.
  .enablePositionalOptions();

program
  .command("serve")
  .description("run the server")
  .option("--host <address>", "address to listen on (HOST, default 0.0.0.0)")
  .option("--port <number>", "port to listen on (PORT, default 8000)")
  .option(
    "--data <directory>",
    "directory of the database, keys and unpacked files (DATA_DIR, default ./data)",
  )
  .action(serve);

addCollect(program);
addPipelines(program);

program
  .command("version")
  .description("print version and commit")
  .action(() => console.log(`quintet ${version} (${commit})`));

await program.parseAsync();
