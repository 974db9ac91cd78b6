import { closeQuietly, openPath, readAt } from "../../../platform/linux/descriptors.ts";
import { openFlag } from "../../../platform/linux/numbers.ts";
import { decodeEntries, type JournalEntry } from "./journal.ts";

/** Reads a journal in order, some hundreds of entries at a time, for Workers: it blocks. A torn last line is left out. */
export function* journalEntries(file: string): Generator<JournalEntry[]> {
  const descriptor = openPath(file, openFlag.readOnly);
  try {
    const buffer = Buffer.allocUnsafe(262_144);
    let rest: Buffer = Buffer.alloc(0);
    let offset = 0;
    for (;;) {
      const length = readAt(descriptor, buffer, buffer.length, offset);
      if (length === 0) return;
      offset += length;
      const bytes = Buffer.concat([rest, buffer.subarray(0, length)]);
      const whole = bytes.lastIndexOf(0x0a) + 1;
      rest = bytes.subarray(whole);
      yield decodeEntries(bytes.subarray(0, whole));
    }
  } finally {
    closeQuietly(descriptor);
  }
}
