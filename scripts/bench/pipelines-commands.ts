/** Other programs, run to their end. */

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Words as a shell reads them. */
export const commandLine = (words: readonly string[]): string => words.map(quoted).join(" ");

/** Runs a program; answers what it printed. Throws with its complaint. */
export async function output(command: string[], environment: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn(command, {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, complaint, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${command.join(" ")}: ${complaint.trim()}`);
  return printed.trim();
}

/** Runs programs that are joined by pipes; fails when any of them does. */
export const piped = (
  commands: readonly string[],
  environment: Record<string, string> = {},
): Promise<string> => output(["bash", "-c", `set -o pipefail; ${commands.join(" | ")}`], environment);
