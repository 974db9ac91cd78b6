/** Why a Python transformation failed, in words that may be shown to whoever wrote it. */

const mostCharacters = 2000;

export type PythonFault =
  /** There is no sandbox, interpreter or pandas here. */
  | "unavailable"
  | "syntax"
  /** The code raised; the message names the exception. */
  | "exception"
  /** The code ended well and what it left is no table. */
  | "result"
  | "time"
  | "memory"
  | "size"
  | "processes"
  /** There is no space for the rows that it makes. */
  | "disk"
  | "killed";

/** A transformation that cannot run or failed. The message holds no path of ours and at most 2,000 characters. */
export class PythonError extends Error {
  override readonly name = "PythonError";
  readonly fault: PythonFault;
  /** The line of the user's code, from 1. */
  readonly line: number | null;

  constructor(fault: PythonFault, message: string, line: number | null = null) {
    const where = line === null ? "" : ` (line ${line})`;
    super(`${message.slice(0, mostCharacters - where.length)}${where}`);
    this.fault = fault;
    this.line = line;
  }
}
