import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { Sealer } from "../../../src/platform/identity/sealing.ts";
import { ownSecret } from "../../../src/platform/identity/secrets.ts";
import { temporaryDirectory } from "../../support/server.ts";

const key = Buffer.from("a key that is long enough for anybody");
test("the server's own key is made once and readable by nobody else", async () => {
  const directory = temporaryDirectory("secrets");
  const program = `import { ownSecret } from ${JSON.stringify(join(import.meta.dir, "../../../src/platform/identity/secrets.ts"))};
    console.log(ownSecret(${JSON.stringify(directory)}, "a.key").toString())`;
  const started = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" }),
  );
  const made = new Set(await Promise.all(started.map((child) => new Response(child.stdout).text())));
  expect(made.size).toBe(1);
  expect(ownSecret(directory, "a.key").toString()).toBe([...made][0]!.trim());
  expect(ownSecret(directory, "b.key")).not.toEqual(ownSecret(directory, "a.key"));
  expect(statSync(join(directory, "secrets/a.key")).mode & 0o777).toBe(0o600);
});

test("what is sealed opens under its key alone, and not when it was touched", () => {
  const sealer = new Sealer(key);
  const sealed = sealer.seal("пароль");
  expect(sealed).not.toBe(sealer.seal("пароль"));
  expect(sealer.open(sealed)).toBe("пароль");
  expect(() => new Sealer(Buffer.from("another")).open(sealed)).toThrow();
  for (let at = 0; at < sealed.length; at += 7) {
    const touched = sealed.slice(0, at) + (sealed[at] === "A" ? "B" : "A") + sealed.slice(at + 1);
    expect(() => sealer.open(touched)).toThrow();
  }
  for (const bad of ["", "v1.", "v1.AAAA", "hello"]) expect(() => sealer.open(bad)).toThrow();
});
