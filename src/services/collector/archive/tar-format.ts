/** Records of the tar format: POSIX ustar, with pax extended headers where a field is too short (POSIX.1-2017, pax). */

export const blockLength = 512;

const typeFlags = { file: "0", symlink: "2", directory: "5" } as const;
/** 11 octal digits. */
const largestSize = 0o77777777777;
const longestName = 100;

export interface TarRecord {
  name: Buffer;
  type: keyof typeof typeFlags;
  mode: number;
  /** Seconds since 1970. */
  mtime: number;
  size: number;
  /** What a symlink holds. */
  link: Buffer;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function isUtf8(text: Buffer): boolean {
  try {
    decoder.decode(text);
    return true;
  } catch {
    return false;
  }
}

/** Bytes that fill the last block of `size` bytes. */
export const paddingOf = (size: number): number => (blockLength - (size % blockLength)) % blockLength;

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;

interface Fields {
  name: Buffer;
  flag: string;
  mode: number;
  mtime: number;
  size: number;
  link: Buffer;
}

function block({ name, flag, mode, mtime, size, link }: Fields): Buffer {
  const header = Buffer.alloc(blockLength);
  name.copy(header, 0, 0, longestName);
  header.write(octal(mode & 0o7777, 7), 100, "latin1");
  header.write(octal(0, 7) + octal(0, 7), 108, "latin1");
  header.write(octal(Math.min(size, largestSize), 11), 124, "latin1");
  header.write(octal(Math.min(Math.max(0, mtime), largestSize), 11), 136, "latin1");
  header.write("        ", 148, "latin1");
  header.write(flag, 156, "latin1");
  link.copy(header, 157, 0, longestName);
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** One pax record: its own length in decimal, a key, a value. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = 1 + key.length + 1 + value.length + 1;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from("\n")]);
}

function paxRecords({ name, link, size, mtime }: TarRecord): Buffer {
  const records: Buffer[] = [];
  if (name.length > longestName) records.push(paxRecord("path", name));
  if (link.length > longestName) records.push(paxRecord("linkpath", link));
  if (size > largestSize) records.push(paxRecord("size", Buffer.from(String(size))));
  if (mtime < 0 || mtime > largestSize) records.push(paxRecord("mtime", Buffer.from(String(mtime))));
  const binary = records.length > 0 && !(isUtf8(name) && isUtf8(link));
  return Buffer.concat(binary ? [paxRecord("hdrcharset", Buffer.from("BINARY")), ...records] : records);
}

/** The header of an entry, with an extended header before it where one is needed. */
export function tarHeader(record: TarRecord): Buffer {
  const { name, type, mode, mtime, size, link } = record;
  const header = block({ name, flag: typeFlags[type], mode, mtime, size, link });
  const pax = paxRecords(record);
  if (pax.length === 0) return header;
  const extended = {
    name: Buffer.from("pax"),
    flag: "x",
    mode: 0o644,
    mtime: 0,
    size: pax.length,
    link: Buffer.alloc(0),
  };
  return Buffer.concat([block(extended), pax, Buffer.alloc(paddingOf(pax.length)), header]);
}

/** What ends an archive: two empty blocks. */
export const endOfArchive = (): Buffer => Buffer.alloc(2 * blockLength);
