import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { sandboxTest } from "./support.ts";

const source = new URL("../../../src/services/pipelines/run/python/transform.ts", import.meta.url).pathname;
const script = `
  const { checkPython } = await import(${JSON.stringify(source)});
  const options = { directory: ${JSON.stringify(tmpdir())}, signal: AbortSignal.timeout(20000) };
  await checkPython("import time", options).then(() => console.log("ran"), (error) => console.log(error.fault + ": " + error.message));`;

/** What a process says that is started by a shell after some preparations, in namespaces of its own. */
async function saidAfter(namespaces: string[], preparation: string): Promise<string> {
  const command = `${preparation} && exec "$@"`;
  const argv = ["unshare", ...namespaces, "sh", "-c", command, "sh", process.execPath, "-e", script];
  return new Response(Bun.spawn(argv, { stderr: "inherit" }).stdout).text();
}

/** Hiding files of the machine needs a mount namespace. */
const asRoot = process.getuid?.() === 0 ? sandboxTest : test.skip;
const mounts = ["--mount", "--propagation", "private"];

asRoot("without bubblewrap nothing runs", async () => {
  const said = await saidAfter(mounts, "mount --bind /dev/null /usr/bin/bwrap");
  expect(said).toContain("unavailable: Python cannot be run: there is no sandbox for it here; ");
  expect(said).toContain("bwrap");
});

asRoot("without pandas nothing runs", async () => {
  const said = await saidAfter(mounts, "mount -t tmpfs none /usr/lib/python3/dist-packages");
  expect(said).toContain("/usr/bin/python3 has no pandas (Debian: python3-pandas)");
});

sandboxTest("where no user namespaces are allowed nothing runs", async () => {
  const said = await saidAfter(["--user", "--map-root-user"], "echo 0 >/proc/sys/user/max_user_namespaces");
  expect(said).toContain("unavailable: Python cannot be run: there is no sandbox for it here; ");
});
