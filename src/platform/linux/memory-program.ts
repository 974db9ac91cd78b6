import { writeAt } from "./descriptors.ts";
import { checked } from "./errors.ts";
import { call } from "./numbers.ts";
import { addressOf, systemCall, terminated } from "./system-call.ts";

const closeOnExec = 0x1;
/** Known since Linux 6.3, and asked for where a machine makes memory files unexecutable by default. */
const executable = 0x10;
const invalidArgument = -22;

/**
 * Puts a program into memory and answers a path that it can be started by while this process lives: nothing is written to a disk, also where all of them
 * are mounted `noexec`. The file stays open for good, so call it once per program.
 */
export function memoryProgram(name: string, content: Uint8Array): string {
  const label = terminated(name);
  const create = (flags: number) => systemCall(call.memfd_create, addressOf(label), flags);
  let descriptor = create(closeOnExec | executable);
  if (descriptor === invalidArgument) descriptor = create(closeOnExec);
  checked(descriptor, "memfd_create");
  writeAt(descriptor, content, content.length, 0);
  return `/proc/${process.pid}/fd/${descriptor}`;
}
