// Installs what package-lock.json names, once: runs under Node or Bun, before anything else is there.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { patches } from "./patches.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "node_modules", ".quintet-installed");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .update(JSON.stringify(patches))
  .digest("hex");
const present = existsSync(stamp) ? readFileSync(stamp, "utf8") : "";

/** Runs a program in the project; ends this process with its status when it fails. */
function run(program, ...args) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Mends a library; what is mended already stays so. Ends this process when the library is not the one that was meant. */
function patch({ file, changes }) {
  const path = join(root, file);
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    if (text.includes(to)) continue;
    if (!text.includes(from)) {
      console.error(`${file} is not what scripts/patches.mjs mends`);
      process.exit(1);
    }
    text = text.replace(from, () => to);
  }
  writeFileSync(path, text);
}

if (present !== wanted) {
  const hasNpm = spawnSync("npm", ["--version"], { stdio: "ignore" }).status === 0;
  console.error(`Installing what is missing (${hasNpm ? "npm" : "bun"} install)…`);
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which npm leaves out of it.
  if (hasNpm)
    run("npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
  else run(process.execPath, "install", "--no-save", "--ignore-scripts");
  // Install scripts are off (.npmrc): the only one that is needed puts Bun's own binary in its place, unless an earlier run did.
  const fetched = join(root, "node_modules", "@oven");
  const isWaiting = (name) => existsSync(join(fetched, name, "bin", "bun"));
  if (existsSync(fetched) && readdirSync(fetched).some(isWaiting))
    run(process.execPath, join("node_modules", "bun", "install.js"));
  for (const each of patches) patch(each);
  writeFileSync(stamp, wanted);
}
