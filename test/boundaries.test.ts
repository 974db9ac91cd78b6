import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");
const transpiler = new Bun.Transpiler({ loader: "ts" });

/** What a path below src belongs to: `services/<name>`, `platform`, or the top (`main`, `server`, `config`, commands). */
function roomOf(path: string): string {
  const [first, second] = path.split("/");
  if (first === "services") return `services/${second}`;
  return first === "platform" ? "platform" : "top";
}

/** Files of the top that anybody may read: they hold facts and know nothing. */
const open = new Set(["config.ts", "version.ts"]);

function allowed(from: string, to: string): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === "top" || here === there || there === "platform") return true;
  return there === "top" && open.has(to);
}

test("main → server → services → platform, and no service knows another", async () => {
  const broken: string[] = [];
  for (const file of new Bun.Glob("src/**/*.ts").scanSync(root)) {
    const from = relative("src", file);
    for (const { path } of transpiler.scanImports(await Bun.file(join(root, file)).text())) {
      if (!path.startsWith(".")) continue;
      const to = relative("src", join(dirname(file), path));
      if (!to.startsWith("..") && !allowed(from, to)) broken.push(`${from} imports ${to}`);
    }
  }
  expect(broken).toEqual([]);
});
