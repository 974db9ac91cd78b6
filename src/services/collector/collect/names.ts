const dot = 0x2e;
const longestName = 255;

/**
 * The name to try when others are taken: for 2, `report.txt` becomes `report-2.txt`. The number goes before the
 * extension, which for `.tar.gz` and its like has two parts; a leading dot begins no extension. Cut to the 255 bytes
 * that a name may have.
 */
export function numberedName(name: Buffer, number: number): Buffer {
  if (number < 2) return name;
  const start = extensionStart(name);
  const ending = Buffer.concat([Buffer.from(`-${number}`), name.subarray(start)]);
  const room = Math.max(0, longestName - ending.length);
  return Buffer.concat([name.subarray(0, Math.min(start, room)), ending]).subarray(0, longestName);
}

function extensionStart(name: Buffer): number {
  const last = name.lastIndexOf(dot);
  if (last <= 0) return name.length;
  const tar = Buffer.from(".tar");
  const before = last - tar.length;
  return before > 0 && name.subarray(before, last).equals(tar) ? before : last;
}

/** The part before the last slash, empty when there is none, and the part after it. */
export function splitPath(path: Buffer): { parent: Buffer; name: Buffer } {
  const slash = path.lastIndexOf(0x2f);
  return { parent: path.subarray(0, Math.max(slash, 0)), name: path.subarray(slash + 1) };
}

/** `parent/name`; just the name when the parent is empty. */
export function joinPath(parent: Buffer, name: Buffer): Buffer {
  return parent.length === 0 ? name : Buffer.concat([parent, Buffer.from("/"), name]);
}
