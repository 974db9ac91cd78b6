/** Identifiers as the document shows them: 24 hexadecimal digits, 8 of a time in seconds and 16 of a row's number. */

const form = /^[0-9a-f]{24}$/i;

/** The identifier of a row. */
export const objectId = (at: Date, id: number): string =>
  Math.floor(at.getTime() / 1000)
    .toString(16)
    .padStart(8, "0")
    .slice(-8) + id.toString(16).padStart(16, "0");

/** What an identifier stands for; null when it is none. */
export function parseObjectId(text: string): { seconds: number; id: number } | null {
  if (!form.test(text)) return null;
  const id = Number.parseInt(text.slice(8), 16);
  return Number.isSafeInteger(id) ? { seconds: Number.parseInt(text.slice(0, 8), 16), id } : null;
}
