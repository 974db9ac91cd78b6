import { closeQuietly, openPath } from "./descriptors.ts";
import { SystemError } from "./errors.ts";
import { call, openFlag } from "./numbers.ts";
import { systemCall } from "./system-call.ts";

const exclusiveNonBlocking = 2 | 4;
const wouldBlock = -11;

/** A held lock. It also ends with the process, however that dies. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the exclusive advisory lock (flock) of a file, made when missing with mode 0600, without waiting; null when
 * another holds it. The descriptor is close-on-exec, so children do not keep the lock. Fails with a SystemError when
 * the file cannot be opened.
 */
export function flockExclusive(path: string): FileLock | null {
  const descriptor = openPath(path, openFlag.readWrite | openFlag.create | openFlag.noFollow, 0o600);
  const result = systemCall(call.flock, descriptor, exclusiveNonBlocking);
  if (result === 0) return { release: () => closeQuietly(descriptor) };
  closeQuietly(descriptor);
  if (result === wouldBlock) return null;
  throw new SystemError(-result, "flock");
}
