import { getSystemErrorMessage, getSystemErrorName } from "node:util";

/** A failed system call. `message` is the plain sentence of the C library, for example "No space left on device". */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** The symbolic name, for example `ENOSPC`. */
  readonly code: string;
  readonly errno: number;
  /** Which call failed, for the log. */
  readonly call: string;

  constructor(errno: number, call: string) {
    super(sentence(errno));
    this.code = getSystemErrorName(-errno);
    this.errno = errno;
    this.call = call;
  }
}

/** What the C library says about an error number, as a sentence. */
export function sentence(errno: number): string {
  const text = getSystemErrorMessage(-errno);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Passes a result through; a negative one (`-errno`) becomes a {@link SystemError}. */
export function checked(result: number, call: string): number {
  if (result < 0) throw new SystemError(-result, call);
  return result;
}

/** The symbolic name of a failure (`ENOENT`), ours or Node's; undefined for anything that is not one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

const conditionsOfTheDisk: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/** Whether a failed write means that no later write can succeed either: full, over quota, read-only. */
export function endsAllWriting(error: unknown): boolean {
  return conditionsOfTheDisk.has(errorCode(error) ?? "");
}
