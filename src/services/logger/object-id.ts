/** Identifiers as the document shows them: 24 hexadecimal digits, 8 of a time in seconds and 16 of a row's number. */

const form = /^[0-9a-f]{24}$/i;

/** 8 hexadecimal digits of an unsigned 32-bit number, by its halves: numbers beyond 31 bits are written slowly. */
const hex32 = (value: number): string =>
  (0x1_0000 + (value >>> 16)).toString(16).slice(1) + (0x1_0000 + (value & 0xffff)).toString(16).slice(1);

/** The identifier of a row. */
export const objectId = (at: Date, id: number): string =>
  hex32(Math.floor(at.getTime() / 1000)) + hex32(Math.floor(id / 0x1_0000_0000)) + hex32(id);

/** What an identifier stands for; null when it is none. */
export function parseObjectId(text: string): { seconds: number; id: number } | null {
  if (!form.test(text)) return null;
  const id = Number.parseInt(text.slice(8), 16);
  return Number.isSafeInteger(id) ? { seconds: Number.parseInt(text.slice(0, 8), 16), id } : null;
}
