import { afterAll, expect } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attacks } from "./attacks.ts";
import { attempt, type Outcome } from "./attempt.ts";
import { processesWith, sandboxTest } from "./support.ts";

process.env.SECRET = "of the server";
const directory = mkdtempSync(join(tmpdir(), "quintet-python-"));
afterAll(() => rmSync(directory, { recursive: true }));

const all = attacks(directory);

for (const attack of all)
  sandboxTest(`code that ${attack.name}`, async () => {
    judge(attack, await attempt(attack, directory));
    expect(readdirSync(directory)).toEqual([]);
  });

function judge(attack: (typeof all)[number], outcome: Outcome): void {
  if (attack.answer !== undefined) expect(outcome).toEqual({ name: attack.name, answer: attack.answer });
  else expect(outcome.message).toContain(attack.message ?? "");
}

sandboxTest("nothing of them is left", async () => {
  await Bun.sleep(200);
  expect(await processesWith("<transformation>")).toEqual([]);
});

const nobody = 65534;

/** The checkout may lie where nobody but root may enter: the program goes, in one file, where everybody may. */
const asNobody = process.getuid?.() === 0 ? sandboxTest : sandboxTest.skip;
asNobody("the same as an ordinary user", async () => {
  const place = mkdtempSync(join(tmpdir(), "quintet-nobody-"));
  try {
    const entrypoints = [join(import.meta.dir, "attempt.ts")];
    const built = await Bun.build({ entrypoints, target: "bun", outdir: place });
    expect(built.success).toBe(true);
    copyFileSync(process.execPath, join(place, "bun"));
    const own = mkdtempSync(join(place, "own-"));
    chmodSync(place, 0o755);
    chownSync(own, nobody, nobody);
    const user = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--"];
    const child = Bun.spawn([...user, join(place, "bun"), join(place, "attempt.js"), own], {
      env: { PATH: process.env.PATH ?? "", SECRET: "of the server", HOME: own },
      cwd: place,
      stderr: "inherit",
    });
    const { user: id, outcomes } = JSON.parse(await new Response(child.stdout).text());
    expect(id).toBe(nobody);
    expect(outcomes).toHaveLength(all.length);
    for (const [index, attack] of attacks(own).entries()) judge(attack, outcomes[index]);
    expect(readdirSync(own)).toEqual([]);
  } finally {
    rmSync(place, { recursive: true });
  }
});
