/** Records of the ZIP format (PKWARE APPNOTE 6.3.10), with ZIP64 where a number needs it. */

export const method = { store: 0, deflate: 8 } as const;

const unix = 3;
const zip64Version = 45;
const utf8Flag = 0x0800;
const largest16 = 0xffff;
const largest32 = 0xffffffff;

const fileTypes = { file: 0o100000, symlink: 0o120000, directory: 0o040000 } as const;

/** What a record tells of an entry. */
export interface ZipRecord {
  /** As it stands in the archive; a directory's ends with `/`. */
  name: Buffer;
  type: keyof typeof fileTypes;
  mode: number;
  /** Seconds since 1970. */
  mtime: number;
  method: number;
  crc: number;
  size: number;
  compressedSize: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function isUtf8(name: Buffer): boolean {
  try {
    decoder.decode(name);
    return true;
  } catch {
    return false;
  }
}

/** MS-DOS date and time (local time, two-second steps, 1980 to 2107) as one 32-bit number. */
function dosTime(seconds: number): number {
  const date = new Date(seconds * 1000);
  const year = date.getFullYear();
  if (year < 1980 || Number.isNaN(year)) return (1 << 21) | (1 << 16);
  if (year > 2107) return ((127 << 25) | (12 << 21) | (31 << 16) | (23 << 11) | (59 << 5) | 29) >>> 0;
  const day = ((year - 1980) << 25) | ((date.getMonth() + 1) << 21) | (date.getDate() << 16);
  return (day | (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1)) >>> 0;
}

/** "UT": the time of modification in UTC, where 32 bits hold it. */
function timeField(mtime: number): Buffer {
  const seconds = Math.floor(mtime);
  if (seconds < -(2 ** 31) || seconds >= 2 ** 31) return Buffer.alloc(0);
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x5455, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(1, 4);
  field.writeInt32LE(seconds, 5);
  return field;
}

/** The ZIP64 field with the numbers that did not fit, in the format's order. */
function zip64Field(numbers: number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * numbers.length);
  field.writeUInt16LE(0x0001, 0);
  field.writeUInt16LE(8 * numbers.length, 2);
  for (const [index, number] of numbers.entries()) field.writeBigUInt64LE(BigInt(number), 4 + 8 * index);
  return field;
}

const flagsOf = (name: Buffer): number => (isUtf8(name) ? utf8Flag : 0);

/**
 * The header before an entry's data. `wide` keeps room for 64-bit sizes whatever they turn out to be, so that the header can be written
 * again, at the same length, once they are known.
 */
export function localHeader(record: ZipRecord, wide: boolean): Buffer {
  const extra = Buffer.concat([
    wide ? zip64Field([record.size, record.compressedSize]) : Buffer.alloc(0),
    timeField(record.mtime),
  ]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(wide ? zip64Version : 20, 4);
  header.writeUInt16LE(flagsOf(record.name), 6);
  header.writeUInt16LE(record.method, 8);
  header.writeUInt32LE(dosTime(record.mtime), 10);
  header.writeUInt32LE(record.crc, 14);
  header.writeUInt32LE(wide ? largest32 : record.compressedSize, 18);
  header.writeUInt32LE(wide ? largest32 : record.size, 22);
  header.writeUInt16LE(record.name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, record.name, extra]);
}

/** The entry's record in the central directory; `offset` is where its local header stands. */
export function centralRecord(record: ZipRecord, offset: number): Buffer {
  const large: number[] = [];
  const narrow = (number: number): number => {
    if (number < largest32) return number;
    large.push(number);
    return largest32;
  };
  const [size, compressedSize, position] = [
    narrow(record.size),
    narrow(record.compressedSize),
    narrow(offset),
  ];
  const extra = Buffer.concat([zip64Field(large), timeField(record.mtime)]);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE((unix << 8) | zip64Version, 4);
  central.writeUInt16LE(large.length > 0 ? zip64Version : 20, 6);
  central.writeUInt16LE(flagsOf(record.name), 8);
  central.writeUInt16LE(record.method, 10);
  central.writeUInt32LE(dosTime(record.mtime), 12);
  central.writeUInt32LE(record.crc, 16);
  central.writeUInt32LE(compressedSize, 20);
  central.writeUInt32LE(size, 24);
  central.writeUInt16LE(record.name.length, 28);
  central.writeUInt16LE(extra.length, 30);
  const mode = fileTypes[record.type] | (record.mode & 0o7777);
  central.writeUInt32LE(((mode << 16) | (record.type === "directory" ? 0x10 : 0)) >>> 0, 38);
  central.writeUInt32LE(position, 42);
  return Buffer.concat([central, record.name, extra]);
}

/** The end of the archive: where the central directory stands, with the ZIP64 form before it where it is needed. */
export function endRecords(entries: number, directorySize: number, directoryOffset: number): Buffer {
  const needed = entries >= largest16 || directorySize >= largest32 || directoryOffset >= largest32;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, largest16), 8);
  end.writeUInt16LE(Math.min(entries, largest16), 10);
  end.writeUInt32LE(Math.min(directorySize, largest32), 12);
  end.writeUInt32LE(Math.min(directoryOffset, largest32), 16);
  return needed ? Buffer.concat([zip64End(entries, directorySize, directoryOffset), end]) : end;
}

function zip64End(entries: number, directorySize: number, directoryOffset: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE((unix << 8) | zip64Version, 12);
  record.writeUInt16LE(zip64Version, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(directorySize), 40);
  record.writeBigUInt64LE(BigInt(directoryOffset), 48);
  record.writeUInt32LE(0x07064b50, 56);
  record.writeBigUInt64LE(BigInt(directoryOffset + directorySize), 64);
  record.writeUInt32LE(1, 72);
  return record;
}
