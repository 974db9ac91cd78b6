/**
 * What DuckDB refused or failed at, in its own words. `sql`: the statement or the data is at fault; `resources`: memory or disk ran out.
 */
export class DuckDbError extends Error {
  override readonly name = "DuckDbError";
  readonly code: "sql" | "resources";

  constructor(code: DuckDbError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

const resources = /^Out of Memory Error|No space left on device|Disk quota exceeded|failed to offload/i;

/** Anything thrown as a DuckDbError. Hints that follow DuckDB's first paragraph name settings that nobody can change here: they are left out. */
export function duckDbError(error: unknown): DuckDbError {
  if (error instanceof DuckDbError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = isSystemError(error) || resources.test(text) ? "resources" : "sql";
  const message = code === "resources" ? (text.split("\n")[0] ?? text) : text;
  return new DuckDbError(code, message, error);
}

const isSystemError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));
